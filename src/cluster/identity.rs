//! Certificates from which a mesh makes the identities of its workloads: an authority, and an issuer that it signed. What
//! a cluster has already is used again: with others, proxies would not know each other any more.

use jiff::ToSpan as _;
use jiff::civil::Date;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use serde_json::{Map, Value, json};

use super::Link;
use super::asking::Doing;
use super::words::trouble;
use crate::model::adapter::HelmRelease;
use crate::model::cluster::Trouble;
use crate::model::manifest;

/// Where Linkerd keeps its issuer, and the authorities that it trusts.
const ISSUER: &str = "linkerd-identity-issuer";
const ANCHORS: &str = "linkerd-identity-trust-roots";
const ANCHORS_KEY: &str = "ca-bundle.crt";
/// Names of both, as Linkerd's own tool gives them.
const AUTHORITY_NAME: &str = "root.linkerd.cluster.local";
const ISSUER_NAME: &str = "identity.linkerd.cluster.local";
/// How long both are valid, in years, as those of Linkerd's own tool are.
const YEARS: i64 = 1;

/// An authority and an issuer, PEM.
struct Identity {
    anchors: String,
    certificate: String,
    key: String,
}

/// The values of a release with certificates in them, and what is to be told of these.
///
/// # Errors
/// In words.
pub(super) async fn with_identity(link: &Link, release: &HelmRelease) -> Result<(String, String), Trouble> {
    if let Some(kept) = kept(link, &release.namespace).await? {
        return Ok((
            values(release, &kept)?,
            "The certificates that the cluster has are used again".to_owned(),
        ));
    }
    let today = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).date();
    let (made, until) = make(today).map_err(|error| {
        let advice = "Put certificates of your own into the values";
        trouble("No certificates could be made", error.to_string(), advice)
    })?;
    let told = format!(
        "Certificates were made for the identities of workloads, valid until {until}. Their authority’s key is kept nowhere: \
         for a mesh that is to last, put certificates of your own into the values"
    );
    Ok((values(release, &made)?, told))
}

/// What the cluster has of an earlier installation; none where there was none.
async fn kept(link: &Link, namespace: &str) -> Result<Option<Identity>, Trouble> {
    let doing =
        |resource: &str, kind: &str, name: &str| Doing::new("get", resource, kind, Some(namespace), name);
    let secrets: Api<Secret> = Api::namespaced(link.client().clone(), namespace);
    let found = link.within(&doing("secrets", "Secret", ISSUER), secrets.get_opt(ISSUER)).await?;
    let Some(secret) = found else { return Ok(None) };
    let configs: Api<ConfigMap> = Api::namespaced(link.client().clone(), namespace);
    let found = link.within(&doing("configmaps", "ConfigMap", ANCHORS), configs.get_opt(ANCHORS)).await?;
    let anchors = found.and_then(|config| config.data?.remove(ANCHORS_KEY));
    let mut data = secret.data.unwrap_or_default();
    let mut text = |names: [&str; 2]| {
        let ByteString(bytes) = names.into_iter().find_map(|name| data.remove(name))?;
        String::from_utf8(bytes).ok()
    };
    // The first as its chart writes them, the second as cert-manager does.
    match (anchors, text(["crt.pem", "tls.crt"]), text(["key.pem", "tls.key"])) {
        (Some(anchors), Some(certificate), Some(key)) => Ok(Some(Identity { anchors, certificate, key })),
        _ => Err(trouble(
            "The certificates of an earlier installation are not whole",
            format!(
                "Secret {namespace}/{ISSUER} or ConfigMap {namespace}/{ANCHORS} has less than Linkerd writes there"
            ),
            "Remove the mesh first, or put its certificates into the values",
        )),
    }
}

/// A new authority and an issuer of it, and their last day.
fn make(today: Date) -> Result<(Identity, Date), rcgen::Error> {
    let until = today.saturating_add(YEARS.years());
    let (authority, anchors) = {
        let key = KeyPair::generate()?;
        let params = params(AUTHORITY_NAME, today, until, BasicConstraints::Unconstrained);
        let anchors = params.self_signed(&key)?.pem();
        (Issuer::new(params, key), anchors)
    };
    let key = KeyPair::generate()?;
    let params = params(ISSUER_NAME, today, until, BasicConstraints::Constrained(0));
    let certificate = params.signed_by(&key, &authority)?.pem();
    Ok((Identity { anchors, certificate, key: key.serialize_pem() }, until))
}

/// From the day before, for clocks that are behind.
fn params(name: &str, today: Date, until: Date, constraints: BasicConstraints) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(constraints);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    let moment =
        |day: Date| date_time_ymd(day.year().into(), day.month().unsigned_abs(), day.day().unsigned_abs());
    params.not_before = moment(today.saturating_sub(1.day()));
    params.not_after = moment(until);
    params
}

fn values(release: &HelmRelease, identity: &Identity) -> Result<String, Trouble> {
    let unread = |cause: String| trouble("The values of the chart cannot be read", cause, "Put them right");
    let mut values = manifest::mapping(&release.values).map_err(unread)?;
    values.insert("identityTrustAnchorsPEM".to_owned(), identity.anchors.clone().into());
    let tls = json!({ "crtPEM": identity.certificate, "keyPEM": identity.key });
    child(child(&mut values, "identity"), "issuer").insert("tls".to_owned(), tls);
    // JSON is YAML.
    Ok(Value::Object(values).to_string())
}

/// What is under a key; made where it is missing or no such thing.
fn child<'a>(of: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    let value = of.entry(key).or_insert_with(|| json!({}));
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("made one above")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_added_to_values_and_nothing_else_is_changed() {
        let release = HelmRelease {
            values: "proxy: {cores: 2}\nidentity: {issuer: {clockSkewAllowance: 30s}}\n".to_owned(),
            ..HelmRelease::default()
        };
        let identity = Identity { anchors: "A".into(), certificate: "C".into(), key: "K".into() };
        let values: Value =
            serde_json::from_str(&super::values(&release, &identity).expect("values")).expect("JSON");
        let issuer = json!({ "clockSkewAllowance": "30s", "tls": { "crtPEM": "C", "keyPEM": "K" } });
        let wanted = json!({
            "proxy": { "cores": 2 }, "identityTrustAnchorsPEM": "A", "identity": { "issuer": issuer },
        });
        assert_eq!(values, wanted);
    }

    #[test]
    fn what_is_made_is_another_each_time_and_ends_in_a_year() {
        let today = Date::new(2028, 2, 29).expect("a day");
        let (one, until) = make(today).expect("certificates");
        let (other, _) = make(today).expect("certificates");
        assert_eq!(until.to_string(), "2029-02-28");
        assert!(one.anchors != other.anchors && one.key != other.key);
        assert!(one.key.starts_with("-----BEGIN PRIVATE KEY-----"));
    }
}
