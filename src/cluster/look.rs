//! Looks once at all that a validation needs: what a cluster holds, what its meshes are told, and their certificates.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::DateTime;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1 as core;
use kube::api::{DynamicObject, ListParams};
use kube::core::discovery::verbs;
use kube::discovery::Scope;
use kube::{Api, Discovery, ResourceExt as _};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::Link;
use super::asking::Doing;
use super::words::trouble;
use crate::model::cluster::Trouble;
use crate::model::inventory::Inventory;
use crate::model::mesh::validate::{Certificate, Looked, MeshObject, is_looked_at};

/// The longest that seeing a whole cluster once may take.
const LOOK_MAX: Duration = Duration::from_secs(60);
/// The most objects of one kind that are looked at, and of one answer.
const OBJECTS_MAX: usize = 10_000;
const PAGE: u32 = 500;
/// Secrets in which meshes' charts and control planes keep certificates: namespace, name, key.
const SECRETS: [(&str, &str, &str); 8] = [
    ("istio-system", "istio-ca-secret", "ca-cert.pem"),
    ("istio-system", "cacerts", "ca-cert.pem"),
    ("linkerd", "linkerd-identity-issuer", "crt.pem"),
    ("linkerd", "linkerd-identity-issuer", "tls.crt"),
    ("linkerd", "linkerd-proxy-injector-k8s-tls", "tls.crt"),
    ("consul", "consul-ca-cert", "tls.crt"),
    ("consul", "consul-server-cert", "tls.crt"),
    ("kuma-system", "kuma-tls-cert", "tls.crt"),
];

/// What the cluster holds, and what else a validation needs. What may not be seen is left out, and said.
///
/// # Errors
/// Where the cluster cannot be looked at at all.
pub(super) async fn look(link: &Link) -> Result<(Inventory, Looked), Trouble> {
    let seen = inventory(link).await?;
    let mut looked = Looked { now_s: Timestamp::now().as_second(), ..Looked::default() };
    objects(link, &mut looked).await?;
    certificates(link, &seen, &mut looked).await;
    Ok((seen, looked))
}

async fn inventory(link: &Link) -> Result<Inventory, Trouble> {
    let (send, mut seen) = tokio::sync::mpsc::channel(1);
    let watched = link.watch(move |inventory| !inventory.is_whole || send.try_send(inventory).is_ok());
    tokio::select! {
        Some(inventory) = seen.recv() => Ok(inventory),
        () = watched => Err(unseen("the watch ended")),
        () = tokio::time::sleep(LOOK_MAX) => Err(unseen(&format!("not within {} s", LOOK_MAX.as_secs()))),
    }
}

fn unseen(cause: &str) -> Trouble {
    trouble("The cluster could not be seen as a whole", cause.to_owned(), "Try again, or check the network")
}

async fn objects(link: &Link, looked: &mut Looked) -> Result<(), Trouble> {
    let doing = Doing::new("get", "the list of kinds", "APIGroupList", None, "all");
    let all = link.within(&doing, Discovery::new(link.client().clone()).run_aggregated()).await?;
    for group in all.groups().filter(|group| is_looked_at(group.name())) {
        for (resource, capabilities) in group.resources_by_stability() {
            if !capabilities.supports_operation(verbs::LIST) {
                continue;
            }
            let api: Api<DynamicObject> = Api::all_with(link.client().clone(), &resource);
            let is_namespaced = capabilities.scope == Scope::Namespaced;
            let (listed, is_whole) = pages(link, &api).await;
            if !is_whole {
                looked.unseen.push(format!("{}.{}", resource.plural, resource.group));
            }
            looked.objects.extend(listed.into_iter().map(|mut object| MeshObject {
                group: resource.group.clone(),
                kind: resource.kind.clone(),
                namespace: object.namespace().filter(|_| is_namespaced).unwrap_or_default(),
                name: object.name_any(),
                spec: object.data.get_mut("spec").map(serde_json::Value::take).unwrap_or_default(),
            }));
        }
    }
    Ok(())
}

/// All objects of a kind, and whether these are all.
async fn pages(link: &Link, api: &Api<DynamicObject>) -> (Vec<DynamicObject>, bool) {
    let (mut all, mut page) = (Vec::new(), ListParams::default().limit(PAGE));
    loop {
        let Some(Ok(listed)) = link.within_raw(api.list(&page)).await else { return (all, false) };
        all.extend(listed.items);
        match listed.metadata.continue_.filter(|token| !token.is_empty()) {
            None => return (all, true),
            Some(_) if all.len() >= OBJECTS_MAX => return (all, false),
            Some(token) => page = page.continue_token(&token),
        }
    }
}

/// Only Secrets of known names are asked for, and of them only when certificates expire is kept.
async fn certificates(link: &Link, seen: &Inventory, looked: &mut Looked) {
    for (namespace, name, key) in SECRETS {
        if !seen.namespaces.is_empty() && !seen.namespaces.iter().any(|it| it.name == namespace) {
            continue;
        }
        let api: Api<core::Secret> = Api::namespaced(link.client().clone(), namespace);
        match link.within_raw(api.get_opt(name)).await {
            Some(Ok(Some(secret))) => {
                let pem = secret.data.as_ref().and_then(|data| data.get(key));
                if let Some(expires_s) = pem.and_then(|pem| earliest(&pem.0)) {
                    let owner = format!("Secret {namespace}/{name}");
                    looked.certificates.push(Certificate { owner, expires_s });
                }
            }
            Some(Ok(None)) => {}
            _ => looked.unseen.push(format!("Secret {namespace}/{name}")),
        }
    }
    let api: Api<MutatingWebhookConfiguration> = Api::all(link.client().clone());
    let few = ListParams::default().limit(PAGE);
    let Some(Ok(listed)) = link.within_raw(api.list(&few)).await else {
        looked.unseen.push("mutatingwebhookconfigurations.admissionregistration.k8s.io".to_owned());
        return;
    };
    for configuration in listed.items {
        let bundles = configuration.webhooks.iter().flatten();
        let times = bundles.filter_map(|hook| earliest(&hook.client_config.ca_bundle.as_ref()?.0));
        if let Some(expires_s) = times.min() {
            let owner = format!("MutatingWebhookConfiguration {}", configuration.name_any());
            looked.certificates.push(Certificate { owner, expires_s });
        }
    }
}

/// When the first certificate of a PEM text expires, in seconds since 1970.
fn earliest(pem: &[u8]) -> Option<i64> {
    // Some keep base64 within base64.
    let inner = if pem.starts_with(b"-----") { None } else { STANDARD.decode(pem).ok() };
    let pem = inner.as_deref().unwrap_or(pem);
    CertificateDer::pem_slice_iter(pem).filter_map(|found| expires(found.ok()?.as_ref())).min()
}

/// `notAfter` of a certificate, as RFC 5280 (4.1) lays it out.
fn expires(certificate: &[u8]) -> Option<i64> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xA0;
    let within = |bytes, tag| element(bytes).filter(|(found, ..)| *found == tag);
    let (_, whole, _) = within(certificate, SEQUENCE)?;
    let (_, mut rest, _) = within(whole, SEQUENCE)?;
    if let Some((.., after)) = within(rest, VERSION) {
        rest = after;
    }
    // Serial number, algorithm, issuer.
    for _ in 0..3 {
        (.., rest) = element(rest)?;
    }
    let (_, validity, _) = within(rest, SEQUENCE)?;
    let (.., after) = element(validity)?;
    let (tag, text, _) = element(after)?;
    time(tag, std::str::from_utf8(text).ok()?)
}

/// Tag, content, and what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [tag, first, rest @ ..] = bytes else { return None };
    let (length, rest) = match first {
        0..=0x7F => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
            (digits.iter().fold(0, |length: usize, digit| (length << 8) | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((*tag, content, after))
}

fn time(tag: u8, text: &str) -> Option<i64> {
    const UTC: u8 = 0x17;
    const GENERALIZED: u8 = 0x18;
    let digits = text.strip_suffix('Z')?;
    let whole = match tag {
        // Two digits of a year are of 1950 to 2049.
        UTC if digits.get(..2)? < "50" => format!("20{digits}"),
        UTC => format!("19{digits}"),
        GENERALIZED => digits.to_owned(),
        _ => return None,
    };
    let at = DateTime::strptime("%Y%m%d%H%M%S", whole).ok()?;
    Some(at.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_certificate_expires_is_read_from_it() {
        let mut params = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).expect("params");
        let key = rcgen::KeyPair::generate().expect("a key");
        for (year, seconds) in [(2031, 1_924_992_000), (2077, 3_376_684_800)] {
            params.not_after = rcgen::date_time_ymd(year, 1, 1);
            let pem = params.self_signed(&key).expect("a certificate").pem();
            assert_eq!(earliest(pem.as_bytes()), Some(seconds));
            assert_eq!(earliest(STANDARD.encode(&pem).as_bytes()), Some(seconds));
        }
    }

    #[test]
    fn what_is_no_certificate_expires_never() {
        let mut params = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).expect("params");
        params.not_after = rcgen::date_time_ymd(2031, 1, 1);
        let key = rcgen::KeyPair::generate().expect("a key");
        let whole = params.self_signed(&key).expect("a certificate").der().to_vec();
        for length in 0..whole.len() {
            // It is cut: the outer length is longer than what is there.
            assert_eq!(expires(&whole[..length]), None, "{length}");
        }
        for at in 0..whole.len().min(200) {
            let mut broken = whole.clone();
            broken[at] ^= 0xFF;
            // Anything but a panic.
            let _ = expires(&broken);
        }
        assert_eq!(
            (earliest(b""), earliest(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")),
            (None, None)
        );
    }
}
