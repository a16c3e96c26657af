//! JSON Web Tokens: proven by an issuer's public keys, and never otherwise.
//!
//! Signatures of RSA, elliptic curves and Ed25519 only: what is signed with a shared secret, or not at all, is refused before
//! anything in it is looked at. The key says what it is for; a token cannot choose.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;

/// The longest token.
pub(super) const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// How far clocks may be apart, in seconds.
pub(super) const LEEWAY_S: i64 = 60;

/// Why a token proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerifyError {
    /// It is not good. The words hold nothing of it.
    Invalid(&'static str),
    /// It was good until then.
    Expired(Timestamp),
    /// Whether it is good cannot be known just now.
    Unavailable(String),
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(reason) => write!(f, "the token is not good: {reason}"),
            Self::Expired(at) => write!(f, "the token was good until {at}"),
            Self::Unavailable(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for VerifyError {}

/// A public key of an issuer (RFC 7517).
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Jwk {
    kty: String,
    pub(super) kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// What a token says of how it is signed.
#[derive(Debug, Deserialize)]
pub(super) struct Header {
    alg: String,
    pub(super) kid: Option<String>,
    crit: Option<serde_json::Value>,
}

/// A token whose signature is not proven yet.
pub(super) struct Unproven<'a> {
    pub(super) header: Header,
    signed: &'a str,
    content: Vec<u8>,
    signature: Vec<u8>,
}

/// What an issuer says of a person (RFC 7519 and OpenID Connect).
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) sub: String,
    #[serde(default)]
    pub(super) aud: OneOrMany,
    pub(super) exp: f64,
    pub(super) nbf: Option<f64>,
    pub(super) iat: Option<f64>,
    pub(super) azp: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) name: Option<String>,
    pub(super) preferred_username: Option<String>,
    pub(super) email: Option<String>,
    #[serde(flatten)]
    pub(super) rest: serde_json::Map<String, serde_json::Value>,
}

/// One text or several.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    #[default]
    None,
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(super) fn all(&self) -> &[String] {
        match self {
            Self::None => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl<'a> Unproven<'a> {
    /// # Errors
    /// Where it is no token, or signed in a way that proves nothing.
    pub(super) fn read(token: &'a str) -> Result<Self, VerifyError> {
        let odd = VerifyError::Invalid("it is no JSON Web Token");
        if token.len() > TOKEN_BYTES_MAX {
            return Err(VerifyError::Invalid("it is longer than 16 KiB"));
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(odd.clone())?;
        let (header, content) = signed.split_once('.').ok_or(odd.clone())?;
        let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| odd.clone());
        let header: Header = serde_json::from_slice(&bytes(header)?).map_err(|_| odd.clone())?;
        if header.crit.is_some() {
            return Err(VerifyError::Invalid("it asks for something that is not understood"));
        }
        if family(&header.alg).is_none() {
            return Err(VerifyError::Invalid("it is not signed with RSA, an elliptic curve or Ed25519"));
        }
        Ok(Self { signed, content: bytes(content)?, signature: bytes(signature)?, header })
    }

    /// What it says, once one of the keys proves it.
    ///
    /// # Errors
    /// Where none does.
    pub(super) fn prove(&self, keys: &[Jwk]) -> Result<Claims, VerifyError> {
        let fits = |key: &&Jwk| {
            key.usage.as_deref().is_none_or(|usage| usage == "sig")
                && key.alg.as_ref().is_none_or(|alg| *alg == self.header.alg)
        };
        if !keys.iter().filter(fits).any(|key| self.is_signed_by(key)) {
            return Err(VerifyError::Invalid("its signature is wrong"));
        }
        serde_json::from_slice(&self.content).map_err(|_| VerifyError::Invalid("it lacks what a token says"))
    }

    fn is_signed_by(&self, key: &Jwk) -> bool {
        let part = |part: &Option<String>| part.as_ref().and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let (message, signature) = (self.signed.as_bytes(), self.signature.as_slice());
        match family(&self.header.alg) {
            Some(Family::Rsa(parameters)) if key.kty == "RSA" => {
                let (Some(n), Some(e)) = (part(&key.n), part(&key.e)) else { return false };
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }
            Some(Family::Curve(curve, parameters))
                if key.kty == "EC" && key.crv.as_deref() == Some(curve) =>
            {
                let (Some(x), Some(y)) = (part(&key.x), part(&key.y)) else { return false };
                let point = [&[4], x.as_slice(), y.as_slice()].concat();
                UnparsedPublicKey::new(parameters, point).verify(message, signature).is_ok()
            }
            Some(Family::Edwards) if key.kty == "OKP" && key.crv.as_deref() == Some("Ed25519") => {
                let Some(x) = part(&key.x) else { return false };
                UnparsedPublicKey::new(&signature::ED25519, x).verify(message, signature).is_ok()
            }
            _ => false,
        }
    }
}

enum Family {
    Rsa(&'static signature::RsaParameters),
    Curve(&'static str, &'static signature::EcdsaVerificationAlgorithm),
    Edwards,
}

fn family(alg: &str) -> Option<Family> {
    Some(match alg {
        "RS256" => Family::Rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
        "RS384" => Family::Rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
        "RS512" => Family::Rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
        "PS256" => Family::Rsa(&signature::RSA_PSS_2048_8192_SHA256),
        "PS384" => Family::Rsa(&signature::RSA_PSS_2048_8192_SHA384),
        "PS512" => Family::Rsa(&signature::RSA_PSS_2048_8192_SHA512),
        "ES256" => Family::Curve("P-256", &signature::ECDSA_P256_SHA256_FIXED),
        "ES384" => Family::Curve("P-384", &signature::ECDSA_P384_SHA384_FIXED),
        "EdDSA" => Family::Edwards,
        _ => return None,
    })
}

impl Claims {
    /// Whether they are of this issuer, and good now.
    ///
    /// # Errors
    /// What is wrong.
    pub(super) fn check(&self, issuer: &str, now: Timestamp) -> Result<(), VerifyError> {
        if self.iss != issuer {
            return Err(VerifyError::Invalid("another issuer has made it"));
        }
        if self.sub.is_empty() || self.sub.len() > 255 {
            return Err(VerifyError::Invalid("it does not say whose it is"));
        }
        let now = now.as_second() as f64;
        let leeway = LEEWAY_S as f64;
        if !self.exp.is_finite() || now >= self.exp + leeway {
            return Err(VerifyError::Expired(self.expires_at()));
        }
        if [self.nbf, self.iat].into_iter().flatten().any(|from| from > now + leeway) {
            return Err(VerifyError::Invalid("it is from the future; is the clock right?"));
        }
        Ok(())
    }

    pub(super) fn expires_at(&self) -> Timestamp {
        Timestamp::from_second(self.exp as i64).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// The name to show.
    pub(super) fn shown_name(&self) -> String {
        let names = [&self.name, &self.preferred_username, &self.email];
        let name = names.into_iter().flatten().find(|name| !name.trim().is_empty());
        let name = name.map_or(self.sub.as_str(), String::as_str);
        name.chars().filter(|letter| !letter.is_control()).take(120).collect()
    }
}
