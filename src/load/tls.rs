//! TLS for the load: the system's authorities, further ones from a file, or none at all.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use p12_keystore::{KeyStore, Pkcs12ImportPolicy};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
};

use super::LoadError;
use super::wire::ALPN_HTTP2;
use crate::model::certificate::{Unchecked, certificates};
use crate::model::plan::{ClientCertificate, Protocol, Target};

/// What the PEM form of an encrypted key has in its first lines.
const ENCRYPTED: &[u8] = b"ENCRYPTED";
/// The DER tag of a part with the number 0.
const CONTEXT_0: u8 = 0xa0;
/// The DER tag of a time whose year has two digits.
const UTC_TIME: u8 = 0x17;
/// The largest file of certificates or keys, in bytes.
const CA_FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The client side of TLS as the plan asks for it.
pub(super) fn config(target: &Target) -> Result<Arc<ClientConfig>, LoadError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| LoadError::Tls(error.to_string()))?;
    let builder = if target.insecure {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Unchecked(provider)))
    } else {
        let given = given(target)?;
        let roots = Arc::new(authorities(target, &given)?);
        match WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), provider).build() {
            Ok(inner) => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(Checked { inner, given }))
            }
            // Nobody is trusted: the library says so of each certificate.
            Err(_) => builder.with_root_certificates(roots),
        }
    };
    let mut config = match &target.tls.client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let (chain, key) = identity(client)?;
            builder.with_client_auth_cert(chain, key).map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => {
                    bad_client(client, "the key does not belong to the certificate")
                }
                other => bad_client(client, other.to_string()),
            })?
        }
    };
    if !target.tls.resumption {
        config.resumption = Resumption::disabled();
    }
    config.alpn_protocols = vec![match target.protocol {
        Protocol::Http1 => b"http/1.1".to_vec(),
        Protocol::Http2 { .. } | Protocol::Grpc { .. } => ALPN_HTTP2.to_vec(),
    }];
    Ok(Arc::new(config))
}

/// The client's certificate, then those that signed it, and its key.
fn identity(
    client: &ClientCertificate,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), LoadError> {
    match client {
        ClientCertificate::Pem { certificate, key } => {
            let bad = |reason: String| bad_client(client, reason);
            let chain = certificates(&read_client(certificate)?).map_err(bad)?;
            Ok((chain, pem_key(key)?))
        }
        ClientCertificate::Pkcs12 { file, password } => {
            let bad = |reason: &str| bad_client(client, reason);
            let bytes = read_client(file)?;
            let store =
                KeyStore::from_pkcs12(&bytes, password, Pkcs12ImportPolicy::Strict).map_err(|error| {
                    match error {
                        p12_keystore::error::Error::MacError(_) => bad("the password is wrong"),
                        other => bad(&format!("it is not PKCS#12 that can be read: {other}")),
                    }
                })?;
            let (_, found) = store
                .private_key_chain()
                .ok_or_else(|| bad("it holds no private key with a certificate that belongs to it"))?;
            let chain = found.certs().iter().map(|one| CertificateDer::from(one.as_der().to_vec())).collect();
            Ok((chain, PrivateKeyDer::Pkcs8(found.key().as_der().to_vec().into())))
        }
    }
}

/// A private key in PEM form: PKCS#8, PKCS#1 or SEC1.
fn pem_key(path: &Path) -> Result<PrivateKeyDer<'static>, LoadError> {
    let pem = read_client(path)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| {
        let encrypted = pem.windows(ENCRYPTED.len()).any(|part| part == ENCRYPTED);
        let reason = match error {
            _ if encrypted => "the key is encrypted; write it without a password, or use PKCS#12".to_owned(),
            pem::Error::NoItemsFound => "it holds no private key in PEM form".to_owned(),
            other => other.to_string(),
        };
        LoadError::ClientCertificate { path: path.to_owned(), reason }
    })
}

fn read_client(path: &Path) -> Result<Vec<u8>, LoadError> {
    let bad = |reason: String| LoadError::ClientCertificate { path: path.to_owned(), reason };
    let size = std::fs::metadata(path).map_err(|error| bad(error.to_string()))?.len();
    if size > CA_FILE_BYTES_MAX {
        return Err(bad("it is larger than 16 MiB".to_owned()));
    }
    std::fs::read(path).map_err(|error| bad(error.to_string()))
}

fn bad_client(client: &ClientCertificate, reason: impl Into<String>) -> LoadError {
    let (ClientCertificate::Pem { certificate: path, .. } | ClientCertificate::Pkcs12 { file: path, .. }) =
        client;
    LoadError::ClientCertificate { path: path.clone(), reason: reason.into() }
}

/// Whom the plan trusts, beside whom the system does.
fn given(target: &Target) -> Result<Vec<CertificateDer<'static>>, LoadError> {
    let Some(path) = &target.ca_file else { return Ok(Vec::new()) };
    let bad = |reason: String| LoadError::CaFile { path: path.clone(), reason };
    let size = std::fs::metadata(path).map_err(|error| bad(error.to_string()))?.len();
    if size > CA_FILE_BYTES_MAX {
        return Err(bad("it is larger than 16 MiB".to_owned()));
    }
    let pem = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
    certificates(&pem).map_err(bad)
}

fn authorities(target: &Target, given: &[CertificateDer<'static>]) -> Result<RootCertStore, LoadError> {
    let mut roots = RootCertStore::empty();
    // What cannot be read of the system's store shows as certificates that are not trusted.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in given {
        roots.add(certificate.clone()).map_err(|error| LoadError::CaFile {
            path: target.ca_file.clone().unwrap_or_default(),
            reason: error.to_string(),
        })?;
    }
    Ok(roots)
}

/// A certificate that is its own issuer, and is not trusted.
#[derive(Debug, thiserror::Error)]
#[error("the certificate is self-signed")]
pub(super) struct SelfSigned;

/// As the library checks; only that what is self-signed is told apart from what nobody known has signed, and that a
/// server may show a certificate that is trusted itself, as those do that are made for development.
#[derive(Debug)]
struct Checked {
    inner: Arc<WebPkiServerVerifier>,
    given: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Checked {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let checked =
            self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match checked {
            // The latter is what the library says of an authority's certificate in the place of a server's.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::Other(_),
            )) if is_self_signed(end_entity) => {
                if self.given.iter().any(|given| given == end_entity) {
                    return verify_given(end_entity, server_name, now);
                }
                Err(CertificateError::Other(OtherError(Arc::new(SelfSigned))).into())
            }
            checked => checked,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// A self-signed certificate that is trusted itself: it must be for this name and this time.
fn verify_given(
    certificate: &CertificateDer<'_>,
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<ServerCertVerified, rustls::Error> {
    verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
    let [not_before, not_after] = parts(certificate)
        .and_then(|parts| validity(parts.validity))
        .ok_or(rustls::Error::InvalidCertificate(CertificateError::BadEncoding))?;
    if now < not_before {
        return Err(CertificateError::NotValidYetContext { time: now, not_before }.into());
    }
    if now > not_after {
        return Err(CertificateError::ExpiredContext { time: now, not_after }.into());
    }
    Ok(ServerCertVerified::assertion())
}

/// Some fields of a certificate, as DER without their tags (RFC 5280, 4.1).
struct Parts<'a> {
    issuer: &'a [u8],
    validity: &'a [u8],
    subject: &'a [u8],
}

fn parts(certificate: &[u8]) -> Option<Parts<'_>> {
    let (_, whole, _) = element(certificate)?;
    let (_, body, _) = element(whole)?;
    let (tag, _, after) = element(body)?;
    // The version comes first, and may be left out; then serial number and kind of signature.
    let after = if tag == CONTEXT_0 { element(after)?.2 } else { after };
    let (_, issuer, after) = element(element(after)?.2)?;
    let (_, validity, after) = element(after)?;
    let (_, subject, _) = element(after)?;
    Some(Parts { issuer, validity, subject })
}

/// From when to when.
fn validity(der: &[u8]) -> Option<[UnixTime; 2]> {
    let (tag, from, after) = element(der)?;
    let (tag_to, to, _) = element(after)?;
    Some([time(tag, from)?, time(tag_to, to)?])
}

/// `YYMMDDHHMMSSZ` of 1950 to 2049, or with four digits of the year (RFC 5280, 4.1.2.5).
fn time(tag: u8, text: &[u8]) -> Option<UnixTime> {
    let text = std::str::from_utf8(text).ok()?;
    let text = match (tag, text.get(..2)?) {
        (UTC_TIME, year) => format!("{}{text}", if year < "50" { "20" } else { "19" }),
        _ => text.to_owned(),
    };
    let time = jiff::civil::DateTime::strptime("%Y%m%d%H%M%SZ", text).ok()?;
    // The last day of the year 9999 stands for no end, and is beyond what can be reckoned with.
    let seconds =
        time.to_zoned(jiff::tz::TimeZone::UTC).map_or(i64::MAX, |time| time.timestamp().as_second());
    Some(UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(seconds).unwrap_or(0))))
}

/// Whether issuer and subject are the same.
fn is_self_signed(certificate: &[u8]) -> bool {
    parts(certificate).is_some_and(|parts| parts.issuer == parts.subject)
}

/// The tag of the first DER element, what is in it, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        (
            digits
                .iter()
                .try_fold(0_usize, |sum, digit| sum.checked_mul(256)?.checked_add(usize::from(*digit)))?,
            rest,
        )
    };
    let (inside, after) = rest.split_at_checked(length)?;
    Some((tag, inside, after))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, CertifiedKey, DnType, Issuer, KeyPair, generate_simple_self_signed};

    use super::*;

    fn reason(client: ClientCertificate) -> String {
        let mut target = Target { insecure: true, ..Target::default() };
        target.tls.client = Some(client);
        config(&target).expect_err("it cannot be used").to_string()
    }

    #[test]
    fn what_is_self_signed_is_known_by_its_names_and_nothing_else_is() {
        let own = generate_simple_self_signed(["me.test".to_owned()]).expect("a certificate");
        let issuer = Issuer::new(CertificateParams::default(), own.signing_key);
        let mut params = CertificateParams::new(["me.test".to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, "another");
        let key = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &issuer).expect("a certificate");
        let whole = own.cert.der();
        assert!(is_self_signed(whole) && !is_self_signed(signed.der()));
        for length in 0..whole.len() {
            // However it is cut or bent, it is only another answer.
            is_self_signed(&whole[..length]);
            let mut bent = whole.to_vec();
            bent[length] ^= 0xff;
            is_self_signed(&bent);
        }
        assert!(!is_self_signed(&[0x30, 0x88, 255, 255, 255, 255, 255, 255, 255, 255]));
    }

    #[test]
    fn a_client_certificate_that_cannot_be_used_says_which_file_and_why() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("a file");
            path
        };
        let fresh = || generate_simple_self_signed(["me.test".to_owned()]).expect("a certificate");
        let CertifiedKey { cert, signing_key } = fresh();
        let certificate = file("me.pem", &cert.pem());
        let key = file("me.key", &signing_key.serialize_pem());
        let other = file("other.key", &fresh().signing_key.serialize_pem());
        let locked = file(
            "locked.key",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n",
        );
        let empty = file("empty.p12", "");
        let mut target = Target { insecure: true, ..Target::default() };
        let pem = |certificate: &Path, key: &Path| ClientCertificate::Pem {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        };
        target.tls.client = Some(pem(&certificate, &key));
        config(&target).expect("they belong together");
        for (client, words) in [
            (pem(&certificate, &other), ["me.pem", "does not belong"]),
            (pem(&certificate, &locked), ["locked.key", "encrypted"]),
            (pem(&certificate, &certificate), ["me.pem", "no private key"]),
            (pem(&key, &key), ["me.key", "no certificate"]),
            (
                ClientCertificate::Pkcs12 { file: empty, password: "CANARY".to_owned() },
                ["empty.p12", "PKCS#12"],
            ),
        ] {
            let reason = reason(client);
            assert!(words.iter().all(|word| reason.contains(word)) && !reason.contains("CANARY"), "{reason}");
        }
    }
}
