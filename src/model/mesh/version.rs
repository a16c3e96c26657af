//! Versions, as images and annotations have them.

/// Ends of tags that say how an image was made, not which version it has.
const FLAVOURS: [&str; 6] = ["-distroless", "-ubi", "-debug", "-fips", "-alpine", "-slim"];

/// The version that an image's tag says: `1.24.2` of `docker.io/istio/pilot:1.24.2-distroless@sha256:…`; empty where it
/// says none.
#[must_use]
pub fn image_version(image: &str) -> String {
    let named = image.split_once('@').map_or(image, |(named, _)| named);
    // A colon before the last slash is that of a registry's port.
    let last = named.rsplit_once('/').map_or(named, |(_, last)| last);
    let Some((_, tag)) = last.split_once(':') else { return String::new() };
    plain(tag)
}

/// Without the `v` in front and the flavour behind; empty where no digit is in it (`latest`).
pub(super) fn plain(version: &str) -> String {
    let mut version = version.trim();
    while let Some(shorter) = FLAVOURS.iter().find_map(|flavour| version.strip_suffix(flavour)) {
        version = shorter;
    }
    match version.strip_prefix('v') {
        Some(rest) if rest.starts_with(|first: char| first.is_ascii_digit()) => rest.to_owned(),
        _ if version.contains(|c: char| c.is_ascii_digit()) => version.to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_any_image() {
        for (image, version) in [
            ("docker.io/istio/pilot:1.24.2", "1.24.2"),
            ("registry.local:5000/istio/pilot:1.24.2-distroless", "1.24.2"),
            ("registry.local:5000/istio/pilot", ""),
            ("quay.io/cilium/cilium:v1.16.1@sha256:0123", "1.16.1"),
            ("hashicorp/consul-k8s-control-plane:1.6.0-ubi", "1.6.0"),
            ("cr.l5d.io/linkerd/proxy:edge-24.11.8", "edge-24.11.8"),
            ("gcr.io/istio-testing/pilot:latest", ""),
            ("kumahq/kuma-cp@sha256:0123", ""),
            ("", ""),
            (":", ""),
        ] {
            assert_eq!(image_version(image), version, "{image}");
        }
    }
}
