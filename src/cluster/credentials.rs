//! How a context logs in: what is sent with each request, and where it comes from.
//!
//! The client library would run a command three times, with our standard input, and never again after a 401; it prefers a
//! token over its file and does not trim it. So it is given none of that, and this is asked for each request instead.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;

use super::kubeconfig::{Cluster, Exec, Provider, Resolved, Secret, User};
use super::oidc::{IdToken, OidcLogin};
use super::program::{self, COMMAND_MAX};
use super::words::{bounded, trouble};
use super::{Refused, Tokens};
use crate::model::cluster::{Ask, Consent, Trouble};

/// A token is renewed so long before it expires.
const EARLY_S: i64 = 60;
/// A file with a token is read again after this long.
const FILE_FRESH: Duration = Duration::from_secs(10);
/// The largest file with a token.
const TOKEN_BYTES_MAX: u64 = 64 * 1024;
/// After a command was run, it is not run again for so long, whatever the server says.
const COMMAND_PAUSE: Duration = Duration::from_secs(10);

/// No login could be had; in words.
#[derive(Clone, Debug)]
pub(super) struct LoginError(pub(super) Trouble);

/// Logs in, again and again.
pub(super) struct Keeper {
    how: How,
    got: Mutex<Option<Got>>,
    /// Whether the server did not accept what was got last.
    is_refused: std::sync::atomic::AtomicBool,
}

enum How {
    Nothing,
    Fixed(HeaderValue),
    File(PathBuf),
    Command(Box<Login>),
    Provider(Box<OidcLogin>),
}

/// A command that logs in, ready to be run.
struct Login {
    written: String,
    program: PathBuf,
    arguments: Vec<String>,
    variables: Vec<(String, Secret)>,
    answer: Answer,
}

/// What the command answers.
enum Answer {
    /// `ExecCredential` of this version.
    Credential(String),
    /// JSON, with the places of token and expiry in it.
    Json { token: Vec<String>, expiry: Vec<String> },
}

/// What a login brought.
#[derive(Clone)]
struct Got {
    header: Option<HeaderValue>,
    identity: Option<Identity>,
    expires: Option<Timestamp>,
    at: Instant,
    /// What a person should know of it.
    remark: Option<String>,
}

/// A client certificate and its key, PEM.
#[derive(Clone)]
pub(super) struct Identity {
    pub(super) certificate: Vec<u8>,
    pub(super) key: Secret,
}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.title, self.0.cause)
    }
}

impl std::error::Error for LoginError {}

impl From<Trouble> for LoginError {
    fn from(trouble: Trouble) -> Self {
        Self(trouble)
    }
}

impl From<Trouble> for Refused {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(Box::new(trouble))
    }
}

impl Got {
    fn now() -> Self {
        Self { header: None, identity: None, expires: None, at: Instant::now(), remark: None }
    }
}

impl Keeper {
    /// Makes the login of a context ready. Nothing is run yet.
    ///
    /// # Errors
    /// [`Refused`] where a person must agree to a command or to sending a file, and has not; or what is wrong.
    pub(super) async fn new(
        resolved: &Resolved,
        allows: &(dyn Fn(&Consent) -> Option<bool> + Send + Sync),
        tokens: &Tokens,
    ) -> Result<Self, Refused> {
        ask_for_files(resolved, allows)?;
        let user = &resolved.user;
        let is_set =
            |secret: &Option<Secret>| secret.as_ref().is_some_and(|secret| !secret.expose().is_empty());
        let has_token = user.token_file.is_some() || is_set(&user.token);
        let name = user.username.as_deref().filter(|name| !name.is_empty());
        if has_token && name.is_some() {
            let cause = "both a token and a user with password are given".to_owned();
            return Err(trouble("The kubeconfig's user is ambiguous", cause, "Take one of them out").into());
        }
        let how = if let Some(file) = &user.token_file {
            How::File(file.clone())
        } else if let Some(token) = user.token.as_ref().filter(|token| !token.expose().is_empty()) {
            How::Fixed(bearer(token.expose())?)
        } else if let Some(name) = name {
            let password = user.password.as_ref().map_or("", Secret::expose);
            How::Fixed(header(&format!("Basic {}", STANDARD.encode(format!("{name}:{password}"))))?)
        } else if let Some(exec) = &user.exec {
            How::Command(Box::new(exec_login(resolved, exec, allows).await?))
        } else if let Some(provider) = &user.auth_provider {
            provider_login(resolved, provider, allows, tokens).await?
        } else {
            How::Nothing
        };
        Ok(Self { how, got: Mutex::new(None), is_refused: false.into() })
    }

    /// What to send now.
    ///
    /// # Errors
    /// Why there is nothing to send.
    pub(super) async fn header(&self) -> Result<Option<HeaderValue>, LoginError> {
        match &self.how {
            How::Nothing => Ok(None),
            How::Fixed(header) => Ok(Some(header.clone())),
            How::File(_) | How::Command(_) | How::Provider(_) => Ok(self.current().await?.header),
        }
    }

    /// The client certificate that a command gives, if it gives one.
    ///
    /// # Errors
    /// Why the command did not work.
    pub(super) async fn identity(&self) -> Result<Option<Identity>, LoginError> {
        match &self.how {
            How::Command(_) => Ok(self.current().await?.identity),
            _ => Ok(None),
        }
    }

    /// The server did not accept what was sent: a command is run again for the next request.
    pub(super) fn note_refused(&self) {
        self.is_refused.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    /// Whether trying again after a 401 can bring another login.
    pub(super) fn can_renew(&self) -> bool {
        matches!(self.how, How::Command(_) | How::File(_) | How::Provider(_))
    }

    /// What a person should know of the login.
    pub(super) async fn remarks(&self) -> Vec<String> {
        self.got.lock().await.iter().filter_map(|got| got.remark.clone()).collect()
    }

    async fn current(&self) -> Result<Got, LoginError> {
        use std::sync::atomic::Ordering::Relaxed;
        // Others wait here, so that a command runs once for all.
        let mut kept = self.got.lock().await;
        let is_refused = self.is_refused.load(Relaxed);
        if let Some(got) = &*kept
            && self.is_fresh(got, is_refused)
        {
            return Ok(got.clone());
        }
        let got = match &self.how {
            How::File(path) => read_token(path)?,
            How::Command(login) => login.run().await?,
            How::Provider(login) => renewed(login.token(is_refused).await?)?,
            How::Nothing | How::Fixed(_) => unreachable!("asked only where a login is kept"),
        };
        self.is_refused.store(false, Relaxed);
        *kept = Some(got.clone());
        Ok(got)
    }

    fn is_fresh(&self, got: &Got, is_refused: bool) -> bool {
        if matches!(self.how, How::File(_)) {
            return got.at.elapsed() < FILE_FRESH && !is_refused;
        }
        let left = got.expires.map(|at| at.as_second() - Timestamp::now().as_second());
        // Some give tokens that live shorter than we would renew them early.
        let is_over =
            left.is_some_and(|left| left <= 0 || (left < EARLY_S && got.at.elapsed() > COMMAND_PAUSE));
        let is_to_renew = is_refused && got.at.elapsed() > COMMAND_PAUSE;
        !is_over && !is_to_renew
    }
}

/// Credentials that are read from outside the kubeconfig's own folder go to its server only with a person's word:
/// a kubeconfig from somewhere could ask for any file. kubectl's own files are as trusted as kubectl.
fn ask_for_files(
    resolved: &Resolved,
    allows: &(dyn Fn(&Consent) -> Option<bool> + Send + Sync),
) -> Result<(), Refused> {
    if resolved.is_kubectls {
        return Ok(());
    }
    let User { token_file, client_certificate, client_key, .. } = &resolved.user;
    let folder = resolved.key.file.parent().map(Path::to_owned).unwrap_or_default();
    let is_inside = |path: &Path| {
        let (path, folder) = (path.canonicalize(), folder.canonicalize());
        path.ok().zip(folder.ok()).is_some_and(|(path, folder)| path.starts_with(folder))
    };
    let named = [token_file, client_certificate, client_key].into_iter().flatten();
    let mut files: Vec<PathBuf> = named.filter(|path| !is_inside(path)).cloned().collect();
    files.sort();
    if files.is_empty() {
        return Ok(());
    }
    let server = super::kubeconfig::without_credentials(&resolved.cluster.server);
    agreed(resolved, Consent::Files { files, server }, String::new(), allows)
}

/// `allows`: whether it was agreed to; none where it was to something else at the same place.
fn agreed(
    resolved: &Resolved,
    consent: Consent,
    written: String,
    allows: &(dyn Fn(&Consent) -> Option<bool> + Send + Sync),
) -> Result<(), Refused> {
    let answer = allows(&consent);
    if answer == Some(true) {
        return Ok(());
    }
    let ask = Ask { consent, context: resolved.key.clone(), written, has_changed: answer.is_none() };
    Err(Refused::NeedsConsent(Box::new(ask)))
}

async fn exec_login(
    resolved: &Resolved,
    exec: &Exec,
    allows: &(dyn Fn(&Consent) -> Option<bool> + Send + Sync),
) -> Result<Login, Refused> {
    let name = bounded(&exec.command);
    let version = exec.api_version.as_str();
    if !matches!(version, "client.authentication.k8s.io/v1" | "client.authentication.k8s.io/v1beta1") {
        let cause = format!(
            "it asks for the version “{}” of ExecCredential; v1 and v1beta1 are known",
            bounded(version)
        );
        let advice = "Have the tool that made this kubeconfig make it anew";
        return Err(trouble("The login command cannot be used", cause, advice).into());
    }
    if exec.interactive_mode.as_deref() == Some("Always") {
        let cause = format!("{name} wants to ask in a terminal, and a window has none");
        let advice = "Set interactiveMode: IfAvailable if it can do without, or log in in a terminal first";
        return Err(trouble("The login command cannot be used", cause, advice).into());
    }
    let hint = exec.install_hint.as_deref().map(bounded);
    let arguments = exec.args.clone().unwrap_or_default();
    let given = exec.env.iter().flatten().map(|variable| (variable.name.clone(), variable.value.clone()));
    let mut variables: Vec<(String, Secret)> = given.collect();
    let written = command_line(&exec.command, &arguments);
    let program = consented(resolved, &exec.command, &arguments, &variables, hint, allows).await?;
    let mut spec = json!({ "interactive": false });
    if exec.provide_cluster_info {
        spec["cluster"] = cluster_info(&resolved.cluster);
    }
    let info = json!({ "apiVersion": version, "kind": "ExecCredential", "spec": spec });
    variables.push(("KUBERNETES_EXEC_INFO".to_owned(), Secret::new(info.to_string())));
    Ok(Login { written, program, arguments, variables, answer: Answer::Credential(version.to_owned()) })
}

/// Finds a command and sees whether a person agreed to it.
async fn consented(
    resolved: &Resolved,
    command: &str,
    arguments: &[String],
    variables: &[(String, Secret)],
    hint: Option<String>,
    allows: &(dyn Fn(&Consent) -> Option<bool> + Send + Sync),
) -> Result<PathBuf, Refused> {
    let Some(program) = program::find(command).await else {
        let cause =
            format!("{} is not on the PATH of this program, nor of your login shell", bounded(command));
        let advice = hint.unwrap_or_else(|| {
            "Install it, or start Meshbench from a terminal in which it is found".to_owned()
        });
        return Err(trouble("The login command is not installed", cause, &advice).into());
    };
    let file = program.clone();
    let hashed = tokio::task::spawn_blocking(move || program::sha256(&file)).await;
    let sha256 = match hashed {
        Ok(Ok(sha256)) => sha256,
        _ => {
            let cause = format!("{} cannot be read", program.display());
            return Err(trouble("The login command cannot be checked", cause, "Check its rights").into());
        }
    };
    let mut names: Vec<String> = variables.iter().map(|(name, _)| name.clone()).collect();
    names.sort();
    let consent = Consent::Command {
        program: program.clone(),
        sha256,
        arguments: arguments.to_vec(),
        variables: names,
    };
    agreed(resolved, consent, command_line(command, arguments), allows)?;
    Ok(program)
}

fn command_line(command: &str, arguments: &[String]) -> String {
    std::iter::once(command).chain(arguments.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
}

fn cluster_info(cluster: &Cluster) -> serde_json::Value {
    let of_file = || {
        let path = cluster.certificate_authority.as_ref()?;
        std::fs::read(path).ok().map(|bytes| STANDARD.encode(bytes))
    };
    let mut info = json!({
        "server": cluster.server,
        "insecure-skip-tls-verify": cluster.insecure_skip_tls_verify,
        "disable-compression": cluster.disable_compression,
    });
    for (key, value) in [
        ("tls-server-name", cluster.tls_server_name.clone()),
        ("proxy-url", cluster.proxy_url.clone()),
        ("certificate-authority-data", cluster.certificate_authority_data.clone().or_else(of_file)),
    ] {
        if let Some(value) = value {
            info[key] = value.into();
        }
    }
    info
}

/// Logins of the kind before commands: `gcp` with a command, an `oidc` token that is still good.
async fn provider_login(
    resolved: &Resolved,
    provider: &Provider,
    allows: &(dyn Fn(&Consent) -> Option<bool> + Send + Sync),
    tokens: &Tokens,
) -> Result<How, Refused> {
    let setting = |key: &str| provider.config.get(key).map(Secret::expose).filter(|value| !value.is_empty());
    match provider.name.as_str() {
        "gcp" => {
            let Some(command) = setting("cmd-path") else {
                return kept_token(
                    setting("access-token"),
                    setting("expiry").and_then(|text| text.parse().ok()),
                );
            };
            let arguments: Vec<String> =
                setting("cmd-args").unwrap_or_default().split_whitespace().map(str::to_owned).collect();
            let program = consented(resolved, command, &arguments, &[], None, allows).await?;
            let place = |key, usual: &str| json_path(setting(key).unwrap_or(usual));
            let answer = Answer::Json {
                token: place("token-key", "{.access_token}"),
                expiry: place("expiry-key", "{.token_expiry}"),
            };
            let written = command_line(command, &arguments);
            Ok(How::Command(Box::new(Login { written, program, arguments, variables: Vec::new(), answer })))
        }
        "oidc" => Ok(How::Provider(Box::new(OidcLogin::of(resolved, provider, tokens)?))),
        other => {
            let cause = format!(
                "it logs in with the provider “{}”, which kubectl has no more either",
                bounded(other)
            );
            let advice = match other {
                "azure" => "Convert it: kubelogin convert-kubeconfig",
                _ => "Have the tool that made this kubeconfig make it anew, with an exec command",
            };
            Err(trouble("The kubeconfig's login cannot be used", cause, advice).into())
        }
    }
}

fn kept_token(token: Option<&str>, expires: Option<Timestamp>) -> Result<How, Refused> {
    match token {
        Some(token) if expires.is_none_or(|at| at > Timestamp::now()) => Ok(How::Fixed(bearer(token)?)),
        _ => {
            let cause = "the token that the kubeconfig keeps has expired, or is not there".to_owned();
            let advice = "Log in again with the tool that this kubeconfig came from";
            Err(trouble("The kubeconfig's login has expired", cause, advice).into())
        }
    }
}

fn renewed(token: IdToken) -> Result<Got, LoginError> {
    let header = Some(bearer(token.token.expose())?);
    Ok(Got { header, expires: token.expires, remark: token.remark, ..Got::now() })
}

/// The keys of `{.credential.access_token}`.
fn json_path(text: &str) -> Vec<String> {
    let inside = text.trim().trim_start_matches('{').trim_end_matches('}');
    inside.split('.').filter(|key| !key.is_empty()).map(str::to_owned).collect()
}

impl Login {
    async fn run(&self) -> Result<Got, LoginError> {
        let said = program::run(&self.program, &self.arguments, &self.variables, COMMAND_MAX).await;
        let failed = |cause: String| {
            let advice = "Run it in a terminal to see what it asks for";
            LoginError(trouble(
                "The login command did not work",
                format!("{}: {cause}", bounded(&self.written)),
                advice,
            ))
        };
        let said = said.map_err(|error| match error.kind() {
            std::io::ErrorKind::TimedOut => failed(format!("no answer within {} s", COMMAND_MAX.as_secs())),
            std::io::ErrorKind::FileTooLarge => failed("it said more than 1 MiB".to_owned()),
            _ => failed(error.to_string()),
        })?;
        if !said.status.success() {
            return Err(failed(format!("{}: {}", said.status, bounded(&said.errors))));
        }
        match &self.answer {
            Answer::Credential(version) => read_credential(&said.output, version),
            Answer::Json { token, expiry } => read_json(&said.output, token, expiry),
        }
        .map_err(failed)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExecCredential {
    api_version: Option<String>,
    status: Option<ExecStatus>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ExecStatus {
    token: Option<Secret>,
    expiration_timestamp: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<Secret>,
}

/// # Errors
/// What is wrong with the answer, without anything that is in it.
fn read_credential(output: &[u8], version: &str) -> Result<Got, String> {
    let read: ExecCredential =
        serde_json::from_slice(output).map_err(|_| "it did not answer with an ExecCredential".to_owned())?;
    if read.api_version.as_deref() != Some(version) {
        return Err(format!("it answered with another version than {version}"));
    }
    let status = read.status.ok_or("its answer has no status")?;
    let expires = status.expiration_timestamp.map(|text| text.parse::<Timestamp>());
    let expires =
        expires.transpose().map_err(|_| "the time at which it says that the login expires is none")?;
    let token = status.token.filter(|token| !token.expose().trim().is_empty());
    let identity = match (status.client_certificate_data, status.client_key_data) {
        (Some(certificate), Some(key)) => Some(Identity { certificate: certificate.into_bytes(), key }),
        (None, None) => None,
        _ => return Err("it gave a certificate without its key, or a key without its certificate".to_owned()),
    };
    if token.is_none() && identity.is_none() {
        return Err("it gave neither a token nor a certificate".to_owned());
    }
    let header = token.map(|token| bearer(token.expose())).transpose().map_err(|trouble| trouble.cause)?;
    Ok(Got { header, identity, expires, ..Got::now() })
}

fn read_json(output: &[u8], token: &[String], expiry: &[String]) -> Result<Got, String> {
    let read: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(output).map_err(|_| "it did not answer with JSON".to_owned())?;
    let at = |path: &[String]| {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(read.get(first)?, |value, key| value.get(key))?.as_str().map(str::to_owned)
    };
    let token = at(token).ok_or("its answer has no token")?;
    let expires = at(expiry).and_then(|text| text.parse().ok());
    let header = Some(bearer(&token).map_err(|trouble| trouble.cause)?);
    Ok(Got { header, expires, ..Got::now() })
}

fn read_token(path: &Path) -> Result<Got, LoginError> {
    use std::io::Read as _;
    let failed = |cause: String| {
        trouble(
            "The file with the token cannot be used",
            format!("{}: {cause}", path.display()),
            "Check that file",
        )
    };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| failed(error.to_string()))?;
    file.take(TOKEN_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| failed(error.to_string()))?;
    if text.trim().is_empty() || text.len() as u64 > TOKEN_BYTES_MAX {
        return Err(failed("it is empty, or larger than any token".to_owned()).into());
    }
    Ok(Got { header: Some(bearer(&text)?), ..Got::now() })
}

fn bearer(token: &str) -> Result<HeaderValue, Trouble> {
    header(&format!("Bearer {}", token.trim()))
}

fn header(text: &str) -> Result<HeaderValue, Trouble> {
    let mut header = HeaderValue::from_str(text).map_err(|_| {
        let cause = "it has characters in it that no token or password has in a request".to_owned();
        trouble("The kubeconfig's login cannot be sent", cause, "Log in again, or check the file")
    })?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(all(test, unix))]
mod tests;
