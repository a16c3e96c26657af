//! TLS towards a source: the system's authorities and its own, our certificate, or whoever answers.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::metrics::Failure;
use crate::model::certificate::{Unchecked, certificates};
use crate::model::metrics::TlsFiles;

/// The largest file of certificates or keys, in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The client side of TLS as the source's settings ask for it.
pub(super) fn config(files: &TlsFiles) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::NoAnswer(error.to_string()))?;
    let builder = if files.insecure {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Unchecked(provider)))
    } else {
        builder.with_root_certificates(authorities(files.ca.as_deref())?)
    };
    match (&files.certificate, &files.key) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(certificate), Some(key)) => builder
            .with_client_auth_cert(certificates_of(certificate)?, private_key(key)?)
            .map_err(|error| bad(key, &error)),
        (Some(path), None) => Err(bad(path, &"the file of its key is not named")),
        (None, Some(path)) => Err(bad(path, &"the file of the certificate it belongs to is not named")),
    }
}

fn authorities(own: Option<&Path>) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    // What cannot be read of the system's store shows as certificates that are not trusted.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = own {
        for certificate in certificates_of(path)? {
            roots.add(certificate).map_err(|error| bad(path, &error))?;
        }
    }
    Ok(roots)
}

fn certificates_of(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    certificates(&read(path)?).map_err(|reason| bad(path, &reason))
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Failure> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|error| match error {
        pem::Error::NoItemsFound => bad(path, &"it holds no private key in PEM form without a password"),
        other => bad(path, &other),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let size = std::fs::metadata(path).map_err(|error| bad(path, &error))?.len();
    if size > FILE_BYTES_MAX {
        return Err(bad(path, &"it is larger than 16 MiB"));
    }
    std::fs::read(path).map_err(|error| bad(path, &error))
}

fn bad(path: &Path, reason: &dyn std::fmt::Display) -> Failure {
    Failure::File { path: path.display().to_string(), reason: reason.to_string() }
}
