//! The credential that a client shows with each call.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};

/// An API key or a token, or nothing. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Credential(Option<MetadataValue<Ascii>>);

impl Credential {
    /// Reads an API key or a token from a file; white space around it does not count.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        let credential = text.trim();
        anyhow::ensure!(
            !credential.is_empty(),
            "{} holds no credential",
            path.display()
        );
        let mut value: MetadataValue<Ascii> = format!("Bearer {credential}")
            .parse()
            .with_context(|| format!("{} holds no credential", path.display()))?;
        value.set_sensitive(true);
        Ok(Self(Some(value)))
    }
}

impl Interceptor for Credential {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request
                .metadata_mut()
                .insert("authorization", value.clone());
        }
        Ok(request)
    }
}
