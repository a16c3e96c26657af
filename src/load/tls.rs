//! TLS for the load: the system's authorities, further ones from a file, or none at all.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::LoadError;
use super::wire::ALPN_HTTP2;
use crate::model::plan::{Protocol, Target};

/// The largest file of certificate authorities, in bytes.
const CA_FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The client side of TLS as the plan asks for it.
pub(super) fn config(target: &Target) -> Result<Arc<ClientConfig>, LoadError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| LoadError::Tls(error.to_string()))?;
    let mut config = if target.insecure {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unchecked(provider)))
            .with_no_client_auth()
    } else {
        builder.with_root_certificates(authorities(target)?).with_no_client_auth()
    };
    config.alpn_protocols = vec![match target.protocol {
        Protocol::Http1 => b"http/1.1".to_vec(),
        Protocol::Http2 { .. } | Protocol::Grpc { .. } => ALPN_HTTP2.to_vec(),
    }];
    Ok(Arc::new(config))
}

fn authorities(target: &Target) -> Result<RootCertStore, LoadError> {
    let mut roots = RootCertStore::empty();
    // What cannot be read of the system's store shows as certificates that are not trusted.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let Some(path) = &target.ca_file else { return Ok(roots) };
    let bad = |reason: String| LoadError::CaFile { path: path.clone(), reason };
    let size = std::fs::metadata(path).map_err(|error| bad(error.to_string()))?.len();
    if size > CA_FILE_BYTES_MAX {
        return Err(bad("it is larger than 16 MiB".to_owned()));
    }
    let pem = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
    let mut found = 0;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| bad(error.to_string()))?;
        roots.add(certificate).map_err(|error| bad(error.to_string()))?;
        found += 1;
    }
    if found == 0 {
        return Err(bad("it holds no certificate in PEM form".to_owned()));
    }
    Ok(roots)
}

/// Accepts any certificate. Signatures are still checked, so that what is measured is a real handshake.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
