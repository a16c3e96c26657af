//! How servers are spoken with: TLS by what the machine trusts, no redirects, our name.

use std::sync::Arc;
use std::time::Duration;

use reqwest::ClientBuilder;
use url::Url;

use crate::model::host::is_here;

/// No connection takes longer.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// What speaks with a server at an address; how long its answers may take is for the caller to say.
///
/// # Errors
/// When TLS cannot be set up.
pub(super) fn speaker(base: &Url) -> Result<ClientBuilder, rustls::Error> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("Meshbench/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_MAX);
    Ok(if base.host_str().is_some_and(is_here) { builder.no_proxy() } else { builder })
}
