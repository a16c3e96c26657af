//! A connection to a cluster: the client library's, given a server, certificates and our own logins.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Request, Response, StatusCode, header::AUTHORIZATION};
use kube::Client;
use kube::client::{Body, ClientBuilder};
use serde_json::json;
use tower::buffer::BufferLayer;
use tower::filter::{AsyncFilterLayer, AsyncPredicate};
use tower::util::MapResponseLayer;
use url::Url;

use super::credentials::{Identity, Keeper};
use super::kubeconfig::{Resolved, without_credentials};
use super::minified::{self, MinifiedKubeconfig};
use super::words::trouble;
use super::{ANSWER_MAX, Kubeconfigs, Refused, Tokens, facts, proxy, watch, words};
use crate::model::certificate::certificates;
use crate::model::cluster::{ClusterFacts, Consent, ContextKey, Trouble};
use crate::model::inventory::Inventory;

/// Requests to one cluster that wait for their turn.
const REQUESTS_MAX: usize = 256;
/// The largest file with certificates or a key.
const PEM_BYTES_MAX: u64 = 1024 * 1024;

/// A cluster that can be asked. Cheap to clone.
#[derive(Clone)]
pub struct Link {
    client: Client,
    keeper: Arc<Keeper>,
    server: String,
    namespace: String,
    /// The proxy on the way, without its password.
    through: Option<String>,
    /// What it was opened with, and the proxy that was chosen.
    origin: Arc<(Resolved, Option<String>)>,
}

impl Link {
    /// Makes a connection ready; a login command is run, nothing else is asked yet. `allows`: whether a person agreed to
    /// something; none where it was to another thing in its place. `tokens`: logins that were renewed.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn open(
        files: &Kubeconfigs,
        key: &ContextKey,
        allows: &(dyn Fn(&Consent) -> Option<bool> + Send + Sync),
        tokens: &Tokens,
    ) -> Result<Self, Refused> {
        let resolved = files.files.resolve(key).map_err(|cause| {
            let advice = "Choose another context, or put the kubeconfig right";
            trouble("The context cannot be used", cause, advice)
        })?;
        let keeper = Arc::new(Keeper::new(&resolved, allows, tokens).await?);
        let identity = keeper.identity().await.map_err(|error| error.0)?;
        let server = without_credentials(&resolved.cluster.server);
        let url =
            Url::parse(&resolved.cluster.server).map_err(|error| wrong("its server", &error.to_string()))?;
        let own = resolved.cluster.proxy_url.as_deref();
        let proxy = proxy::choose(own, &url, &proxy::Environment::read());
        let config = config(&resolved, identity, proxy.as_deref())?;
        let through = proxy.as_deref().map(without_credentials);
        let builder = ClientBuilder::try_from(config)
            .map_err(|error| words::of_kube(&error, &server, through.as_deref()))?;
        let client = builder
            .with_layer(&BufferLayer::new(REQUESTS_MAX))
            .with_layer(&AsyncFilterLayer::new(LogIn(Arc::clone(&keeper))))
            .with_layer(&MapResponseLayer::new(notice_refusal(Arc::clone(&keeper))))
            .build();
        let namespace = resolved.namespace.clone();
        Ok(Self { client, keeper, server, namespace, through, origin: Arc::new((resolved, proxy)) })
    }

    /// Asks a cluster who it is, how quick, and what we may do there; within [`ANSWER_MAX`].
    ///
    /// # Errors
    /// Why it did not answer, in words.
    pub async fn check(&self) -> Result<ClusterFacts, Trouble> {
        let asked = async {
            match facts::ask(&self.client, &self.namespace).await {
                // The token may have been revoked: another is got once.
                Err(kube::Error::Api(status)) if status.code == 401 && self.keeper.can_renew() => {
                    facts::ask(&self.client, &self.namespace).await
                }
                asked => asked,
            }
        };
        match tokio::time::timeout(ANSWER_MAX, asked).await {
            Ok(Ok(facts)) => Ok(ClusterFacts { remarks: self.keeper.remarks().await, ..facts }),
            Ok(Err(error)) => Err(words::of_kube(&error, &self.server, self.through.as_deref())),
            Err(_) => {
                let cause = format!("no answer within {} s", ANSWER_MAX.as_secs());
                Err(words::silent(&self.server, &cause))
            }
        }
    }

    /// The client, the server and the proxy on the way.
    pub(super) fn parts(&self) -> (&Client, &str, Option<&str>) {
        (&self.client, &self.server, self.through.as_deref())
    }

    /// The way in, for a program that cannot log in by itself.
    ///
    /// # Errors
    /// Why there is no login, in words.
    pub async fn minified_kubeconfig(&self) -> Result<MinifiedKubeconfig, Trouble> {
        let (resolved, proxy) = &*self.origin;
        let header = self.keeper.header().await.map_err(|error| error.0)?;
        let identity = self.keeper.identity().await.map_err(|error| error.0)?;
        let authority =
            if resolved.cluster.insecure_skip_tls_verify { None } else { authority_pem(resolved)? };
        let pems = certificate(resolved, identity)?;
        Ok(minified::kubeconfig(resolved, proxy.as_deref(), authority.as_deref(), header.as_ref(), pems))
    }

    /// Tells what the cluster holds, at most twice a second, until the future is dropped. Where `tell` says that there was
    /// no room, it is told again.
    pub async fn watch(&self, tell: impl FnMut(Inventory) -> bool + Send) {
        watch::watch(self.client.clone(), &self.namespace, tell).await;
    }
}

/// What the client library is given.
fn config(
    resolved: &Resolved,
    identity: Option<Identity>,
    proxy: Option<&str>,
) -> Result<kube::Config, Trouble> {
    let cluster = &resolved.cluster;
    let uri = cluster
        .server
        .parse()
        .map_err(|error: http::uri::InvalidUri| wrong("its server", &error.to_string()))?;
    let mut config = kube::Config::new(uri);
    config.default_namespace.clone_from(&resolved.namespace);
    config.accept_invalid_certs = cluster.insecure_skip_tls_verify;
    config.tls_server_name.clone_from(&cluster.tls_server_name);
    config.disable_compression = cluster.disable_compression;
    config.connect_timeout = Some(ANSWER_MAX);
    // A person waits: what is tried again, and how long, is for us to say.
    config.default_retry = false;
    config.root_cert = authorities(resolved)?;
    if let Some(proxy) = proxy {
        let uri = proxy.parse().map_err(|_| wrong("its proxy", "it is no URL"))?;
        config.proxy_url = Some(uri);
    }
    let user = &resolved.user;
    let (certificate, key) = certificate(resolved, identity)?;
    // By the names that kubeconfigs have: keys are of a type that is made from text only there.
    let login = json!({
        "client-certificate-data": certificate.map(|pem| STANDARD.encode(pem)),
        "client-key-data": key.map(|pem| STANDARD.encode(pem)),
        "as": user.impersonate,
        "as-uid": user.as_uid,
        "as-groups": user.as_groups,
        "as-user-extra": user.as_user_extra,
    });
    config.auth_info = serde_json::from_value(login).map_err(|_| wrong("its user", "it cannot be used"))?;
    Ok(config)
}

const AUTHORITY: &str = "its certificate authority";

fn authority_pem(resolved: &Resolved) -> Result<Option<Vec<u8>>, Trouble> {
    let cluster = &resolved.cluster;
    match (&cluster.certificate_authority_data, &cluster.certificate_authority) {
        (Some(data), _) => decoded(data, AUTHORITY).map(Some),
        (None, Some(path)) => read(path, AUTHORITY).map(Some),
        (None, None) => Ok(None),
    }
}

fn authorities(resolved: &Resolved) -> Result<Option<Vec<Vec<u8>>>, Trouble> {
    let Some(pem) = authority_pem(resolved)? else { return Ok(None) };
    let found = certificates(&pem).map_err(|_| wrong(AUTHORITY, "there is no PEM certificate in it"))?;
    Ok(Some(found.into_iter().map(|found| found.to_vec()).collect()))
}

pub(super) type Pems = (Option<Vec<u8>>, Option<Vec<u8>>);

/// The client certificate and its key: those that a command gave, else the kubeconfig's.
fn certificate(resolved: &Resolved, identity: Option<Identity>) -> Result<Pems, Trouble> {
    if let Some(identity) = identity {
        return Ok((Some(identity.certificate), Some(identity.key.expose().as_bytes().to_vec())));
    }
    let user = &resolved.user;
    let certificate = match (&user.client_certificate_data, &user.client_certificate) {
        (Some(data), _) => Some(decoded(data, "its client certificate")?),
        (None, Some(path)) => Some(read(path, "its client certificate")?),
        (None, None) => None,
    };
    let key = match (&user.client_key_data, &user.client_key) {
        (Some(data), _) => Some(decoded(data.expose(), "the key of its client certificate")?),
        (None, Some(path)) => Some(read(path, "the key of its client certificate")?),
        (None, None) => None,
    };
    if certificate.is_some() != key.is_some() {
        return Err(wrong("its client certificate", "certificate or key is missing"));
    }
    Ok((certificate, key))
}

pub(super) fn decoded(data: &str, what: &str) -> Result<Vec<u8>, Trouble> {
    let text: String = data.split_whitespace().collect();
    STANDARD.decode(text).map_err(|_| wrong(what, "it is not base64"))
}

pub(super) fn read(path: &Path, what: &str) -> Result<Vec<u8>, Trouble> {
    use std::io::Read as _;
    let failed = |error: std::io::Error| wrong(what, &format!("{}: {error}", path.display()));
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(PEM_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > PEM_BYTES_MAX {
        return Err(wrong(what, &format!("{} is larger than 1 MiB", path.display())));
    }
    Ok(bytes)
}

fn wrong(what: &str, cause: &str) -> Trouble {
    trouble(
        "The kubeconfig cannot be used",
        format!("{what}: {cause}"),
        "Put the kubeconfig right, or make it anew",
    )
}

/// Puts the login into each request.
#[derive(Clone)]
struct LogIn(Arc<Keeper>);

impl AsyncPredicate<Request<Body>> for LogIn {
    type Future = Pin<Box<dyn Future<Output = Result<Self::Request, tower::BoxError>> + Send>>;
    type Request = Request<Body>;

    fn check(&mut self, mut request: Request<Body>) -> Self::Future {
        let keeper = Arc::clone(&self.0);
        Box::pin(async move {
            if let Some(header) = keeper.header().await? {
                request.headers_mut().insert(AUTHORIZATION, header);
            }
            Ok(request)
        })
    }
}

fn notice_refusal<B>(keeper: Arc<Keeper>) -> impl Fn(Response<B>) -> Response<B> + Clone {
    move |response| {
        if response.status() == StatusCode::UNAUTHORIZED {
            keeper.note_refused();
        }
        response
    }
}
