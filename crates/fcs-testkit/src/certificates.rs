//! Certificate authorities of a test, and what they sign.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};

/// An authority that signs certificates of servers and clients.
pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key.
pub struct Identity {
    /// The certificate as PEM.
    pub certificate: String,
    /// The private key as PEM.
    pub key: String,
    serial: SerialNumber,
}

/// The files of an identity.
pub struct IdentityFiles {
    /// The certificate.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

impl Authority {
    /// A new authority of this name.
    pub fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names are good names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("a certificate").pem();
        let issuer = Issuer::new(params, key);
        Self { pem, issuer }
    }

    /// Its own certificate as PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Signs a certificate for these names: URIs with `://`, IP addresses and DNS names.
    pub fn sign(&self, names: &[&str]) -> Identity {
        self.sign_until(names, 4_000)
    }

    /// Signs a certificate that was good long ago.
    pub fn sign_expired(&self, names: &[&str]) -> Identity {
        self.sign_until(names, 2_020)
    }

    fn sign_until(&self, names: &[&str], year: i32) -> Identity {
        let (uris, hosts): (Vec<&str>, Vec<&str>) =
            names.iter().partition(|name| name.contains("://"));
        let hosts = hosts.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let mut params = CertificateParams::new(hosts).expect("names of a test");
        for uri in uris {
            let uri = uri.try_into().expect("a URI is ASCII");
            params.subject_alt_names.push(SanType::URI(uri));
        }
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let serial = SerialNumber::from_slice(&key.public_key_raw()[1..17]);
        params.serial_number = Some(serial.clone());
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            serial,
        }
    }

    /// The list of the revoked ones, as PEM.
    pub fn revoke(&self, revoked: &[&Identity]) -> String {
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2_021, 1, 1),
            next_update: date_time_ymd(4_000, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(|it| revocation(it)).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = params.signed_by(&self.issuer).expect("a list");
        list.pem().expect("a list as text")
    }
}

fn revocation(identity: &Identity) -> RevokedCertParams {
    RevokedCertParams {
        serial_number: identity.serial.clone(),
        revocation_time: date_time_ymd(2_021, 1, 1),
        reason_code: None,
        invalidity_date: None,
    }
}

impl Identity {
    /// Writes `NAME.pem` and `NAME.key` into a folder, over what is there.
    pub fn install(&self, folder: &Path, name: &str) -> IdentityFiles {
        let files = IdentityFiles {
            certificate: folder.join(format!("{name}.pem")),
            key: folder.join(format!("{name}.key")),
        };
        std::fs::write(&files.certificate, &self.certificate).expect("a certificate file");
        std::fs::write(&files.key, &self.key).expect("a key file");
        files
    }
}
