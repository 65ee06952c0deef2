//! What the contracts declare.

use std::collections::BTreeSet;

use prost::Message as _;
use prost_types::FileDescriptorSet;

/// The methods of the services of some packages, as paths: `/package.Service/Method`.
///
/// # Panics
/// When the bytes are no serialised `FileDescriptorSet`.
pub fn methods(descriptors: &[u8], packages: &[&str]) -> BTreeSet<String> {
    let set = FileDescriptorSet::decode(descriptors).expect("a set of descriptors");
    let files = set
        .file
        .iter()
        .filter(|file| packages.contains(&file.package()));
    files
        .flat_map(|file| {
            file.service.iter().flat_map(|service| {
                service.method.iter().map(|method| {
                    format!("/{}.{}/{}", file.package(), service.name(), method.name())
                })
            })
        })
        .collect()
}
