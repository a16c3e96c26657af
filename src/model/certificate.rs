//! What every client of ours makes of certificates: PEM texts, and trust in anybody where a person asked for that.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};

/// The certificates of a PEM text, at least one.
///
/// # Errors
/// In words for people: that there is none, or that one is broken.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| error.to_string())?;
    if found.is_empty() { Err("it holds no certificate in PEM form".to_owned()) } else { Ok(found) }
}

/// Accepts any certificate. Signatures are still checked, so that what is measured is a real handshake.
#[derive(Debug)]
pub struct Unchecked(pub Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pem_text_has_whole_certificates_or_is_refused() {
        let own = rcgen::generate_simple_self_signed(["me.test".to_owned()]).expect("a certificate");
        let pem = own.cert.pem();
        let two = format!("{pem}\nwords between\n{pem}");
        assert_eq!(certificates(two.as_bytes()).map(|found| found.len()), Ok(2));
        for wrong in ["", "words", &own.signing_key.serialize_pem()] {
            assert_eq!(certificates(wrong.as_bytes()).unwrap_err(), "it holds no certificate in PEM form");
        }
        assert!(certificates(&pem.as_bytes()[..pem.len() / 2]).is_err());
        assert!(certificates(pem.replace('M', "!").as_bytes()).is_err());
    }
}
