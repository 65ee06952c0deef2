//! Certificates of a test's own authority.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::command::{self, output};
use crate::packages;

const NEW_KEY: [&str; 9] = [
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-noenc",
    "-days",
    "2",
];

/// Writes `tls_ca`, for each service `<service>_tls` with its key and certificate, and the same for the person who runs
/// the command line into the folder `operator`.
pub(crate) fn make(folder: &Path, services: &[&str]) -> anyhow::Result<()> {
    packages::openssl()?;
    let work = tempfile::tempdir()?;
    let file = |name: &str| work.path().join(name);
    output(
        command::new("openssl")
            .args(NEW_KEY)
            .args(["-subj", "/CN=authority of the test", "-keyout"])
            .arg(file("ca.key"))
            .arg("-out")
            .arg(file("ca.pem")),
    )?;
    for name in services.iter().chain(&["operator"]) {
        output(
            command::new("openssl")
                .args(NEW_KEY)
                .args(["-subj", &format!("/CN={name}")])
                .args(["-addext", &format!("subjectAltName=DNS:{name}")])
                .args(["-addext", "basicConstraints=critical,CA:FALSE"])
                .args(["-addext", "extendedKeyUsage=serverAuth,clientAuth"])
                .args(["-CA".as_ref(), file("ca.pem").as_os_str()])
                .args(["-CAkey".as_ref(), file("ca.key").as_os_str()])
                .args(["-keyout".as_ref(), file("own.key").as_os_str()])
                .args(["-out".as_ref(), file("own.pem").as_os_str()]),
        )?;
        let own = fs::read_to_string(file("own.key"))? + &fs::read_to_string(file("own.pem"))?;
        fs::write(folder.join(format!("{name}_tls")), own)?;
    }
    let operator = folder.join("operator");
    fs::create_dir(&operator)?;
    fs::rename(folder.join("operator_tls"), operator.join("operator.pem"))?;
    fs::copy(file("ca.pem"), operator.join("ca.pem"))?;
    fs::copy(file("ca.pem"), folder.join("tls_ca"))?;
    // The command line in its container is somebody else.
    for path in [folder, &operator] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}
