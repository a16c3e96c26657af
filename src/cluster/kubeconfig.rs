//! Kubeconfig files: read with limits, never written, and merged as kubectl does.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};

use crate::model::cluster::{ClusterContext, ClusterFile, ContextKey, FILES_MAX, Login};

/// The largest kubeconfig, in bytes.
pub(super) const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// The most clusters, users and contexts of one file, each.
const ENTRIES_MAX: usize = 2000;
/// The most nested levels of a file.
const DEPTH_MAX: usize = 32;
/// The most aliases in a file, and events that they stand for: kubeconfigs have none.
const ALIASES_MAX: usize = 100;
const REPLAYED_MAX: usize = 20_000;

/// A text that is shown nowhere.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Secret(String);

/// One file.
#[derive(Clone, Debug, Default)]
pub(super) struct Kubeconfig {
    pub(super) path: PathBuf,
    current: Option<String>,
    clusters: Vec<Named<Cluster>>,
    users: Vec<Named<User>>,
    contexts: Vec<Named<Context>>,
    remarks: Vec<String>,
}

#[derive(Clone, Debug)]
struct Named<T> {
    name: String,
    is: T,
}

/// How to reach an API server.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Cluster {
    pub(super) server: String,
    pub(super) tls_server_name: Option<String>,
    pub(super) insecure_skip_tls_verify: bool,
    pub(super) certificate_authority: Option<PathBuf>,
    pub(super) certificate_authority_data: Option<String>,
    pub(super) proxy_url: Option<String>,
    pub(super) disable_compression: bool,
}

/// How to log in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct User {
    pub(super) client_certificate: Option<PathBuf>,
    pub(super) client_certificate_data: Option<String>,
    pub(super) client_key: Option<PathBuf>,
    pub(super) client_key_data: Option<Secret>,
    pub(super) token: Option<Secret>,
    #[serde(rename = "tokenFile")]
    pub(super) token_file: Option<PathBuf>,
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
    #[serde(rename = "as")]
    pub(super) impersonate: Option<String>,
    pub(super) as_uid: Option<String>,
    pub(super) as_groups: Option<Vec<String>>,
    pub(super) as_user_extra: Option<std::collections::BTreeMap<String, Vec<String>>>,
    pub(super) exec: Option<Exec>,
    pub(super) auth_provider: Option<Provider>,
}

/// A command that logs in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Exec {
    pub(super) api_version: String,
    pub(super) command: String,
    pub(super) args: Option<Vec<String>>,
    pub(super) env: Option<Vec<Variable>>,
    pub(super) install_hint: Option<String>,
    pub(super) provide_cluster_info: bool,
    pub(super) interactive_mode: Option<String>,
}

/// A variable that a command is given.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) value: Secret,
}

/// A provider of logins, of the kind that kubectl had before commands.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Provider {
    pub(super) name: String,
    pub(super) config: std::collections::BTreeMap<String, Secret>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Context {
    cluster: String,
    user: String,
    namespace: Option<String>,
}

/// All that is needed to connect.
#[derive(Clone, Debug)]
pub(super) struct Resolved {
    pub(super) key: ContextKey,
    pub(super) cluster: Cluster,
    pub(super) user: User,
    pub(super) namespace: String,
    /// Whether it is one of the files that kubectl would use.
    pub(super) is_kubectls: bool,
}

/// Every file that is known, in groups that are one configuration each.
#[derive(Clone, Debug, Default)]
pub(super) struct Files {
    groups: Vec<Vec<Kubeconfig>>,
    /// Whether the first group is kubectl's.
    has_kubectls: bool,
    told: Vec<ClusterFile>,
}

impl Secret {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<String>::deserialize(deserializer).map(|text| Self(text.unwrap_or_default()))
    }
}

/// As it is written; entries without content are kept out later.
#[derive(Deserialize)]
struct Written {
    #[serde(default)]
    kind: Option<String>,
    #[serde(default, rename = "current-context")]
    current: Option<String>,
    #[serde(default)]
    clusters: Option<Vec<WrittenCluster>>,
    #[serde(default)]
    users: Option<Vec<WrittenUser>>,
    #[serde(default)]
    contexts: Option<Vec<WrittenContext>>,
}

#[derive(Deserialize)]
struct WrittenCluster {
    #[serde(default)]
    name: String,
    cluster: Option<Cluster>,
}

#[derive(Deserialize)]
struct WrittenUser {
    #[serde(default)]
    name: String,
    user: Option<User>,
}

#[derive(Deserialize)]
struct WrittenContext {
    #[serde(default)]
    name: String,
    context: Option<Context>,
}

impl Kubeconfig {
    /// # Errors
    /// Why the file cannot be used, in words without anything that it holds.
    fn read(path: &Path) -> Result<Self, String> {
        use std::io::Read as _;
        let failed = |error: std::io::Error| format!("it cannot be read: {error}");
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err("it is no file".to_owned());
        }
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
        Self::parse(&bytes, path)
    }

    /// # Errors
    /// Why these bytes are no kubeconfig.
    pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<Self, String> {
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err("it is larger than 1 MiB, and so no kubeconfig".to_owned());
        }
        let text = text(bytes)?;
        let mut documents: Vec<Option<Written>> = serde_saphyr::from_multiple_with_options(&text, options())
            .map_err(|error| {
                // What the parser says may repeat what is there.
                let place = error.location().filter(|place| place.line() > 0);
                match place {
                    Some(place) => format!(
                        "line {}, column {} is not as it should be in a kubeconfig",
                        place.line(),
                        place.column()
                    ),
                    None => "it is not YAML of a kubeconfig's shape, or has too much of something".to_owned(),
                }
            })?;
        let mut remarks = Vec::new();
        if documents.len() > 1 {
            remarks.push("It has several YAML documents; the first is used".to_owned());
        }
        if documents.is_empty() || documents[0].is_none() {
            return Err("it is empty".to_owned());
        }
        let written = documents.swap_remove(0).expect("looked at above");
        if let Some(kind) = written.kind.as_deref().filter(|kind| !matches!(*kind, "" | "Config")) {
            remarks.push(format!("Its kind is {}, not Config", shown(kind)));
        }
        let config = Self {
            path: path.to_owned(),
            current: written.current.filter(|name| !name.is_empty()),
            clusters: named(written.clusters, |it| (it.name, it.cluster))?,
            users: named(written.users, |it| (it.name, it.user))?,
            contexts: named(written.contexts, |it| (it.name, it.context))?,
            remarks,
        };
        if config.clusters.is_empty() && config.contexts.is_empty() && config.users.is_empty() {
            return Err("it names no cluster, user or context".to_owned());
        }
        Ok(config.with_whole_paths())
    }

    /// Paths are read from the file's own folder.
    fn with_whole_paths(mut self) -> Self {
        let folder = self.path.parent().map(Path::to_owned).unwrap_or_default();
        let whole = |path: &mut Option<PathBuf>| {
            if path.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
                *path = None;
            }
            if let Some(path) = path {
                *path = folder.join(&*path);
            }
        };
        for cluster in &mut self.clusters {
            whole(&mut cluster.is.certificate_authority);
        }
        for user in &mut self.users {
            whole(&mut user.is.client_certificate);
            whole(&mut user.is.client_key);
            whole(&mut user.is.token_file);
            if let Some(exec) = &mut user.is.exec
                && (exec.command.contains('/') || exec.command.contains(std::path::MAIN_SEPARATOR))
            {
                exec.command = folder.join(&exec.command).display().to_string();
            }
        }
        self
    }
}

/// UTF-8, or UTF-16 as some editors write it.
fn text(bytes: &[u8]) -> Result<String, String> {
    let wide = |pairs: &[u8], read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = pairs.chunks_exact(2).map(|pair| read([pair[0], pair[1]])).collect();
        String::from_utf16(&units).ok()
    };
    let text = match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        [0xFF, 0xFE, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => wide(rest, u16::from_be_bytes),
        _ => String::from_utf8(bytes.to_vec()).ok(),
    };
    text.filter(|text| !text.contains('\0')).ok_or_else(|| "it is no text".to_owned())
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            max_aliases: ALIASES_MAX,
            max_documents: 16,
            max_nodes: 100_000,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: REPLAYED_MAX,
        },
    }
}

fn named<W, T: Default>(
    written: Option<Vec<W>>,
    split: impl Fn(W) -> (String, Option<T>),
) -> Result<Vec<Named<T>>, String> {
    let written = written.unwrap_or_default();
    if written.len() > ENTRIES_MAX {
        return Err(format!("it has more than {ENTRIES_MAX} entries of a kind"));
    }
    let entries = written.into_iter().map(split);
    Ok(entries.map(|(name, is)| Named { name, is: is.unwrap_or_default() }).collect())
}

fn find<'a, T>(entries: impl Iterator<Item = &'a Named<T>>, name: &str) -> Option<&'a T> {
    let mut found = entries.filter(|entry| entry.name == name);
    found.next().map(|entry| &entry.is)
}

impl Kubeconfig {
    /// # Errors
    /// What it needs beside itself.
    fn stands_alone(&self) -> Result<(), &'static str> {
        for user in self.users.iter().map(|entry| &entry.is) {
            let User { token_file, client_certificate, client_key, exec, auth_provider, .. } = user;
            if exec.is_some() {
                return Err("logs in with a program");
            }
            if auth_provider.is_some() {
                return Err("logs in by a provider (auth-provider)");
            }
            if token_file.is_some() || client_certificate.is_some() || client_key.is_some() {
                return Err("logs in with a file");
            }
        }
        match self.clusters.iter().any(|entry| entry.is.certificate_authority.is_some()) {
            true => Err("names a file with authorities"),
            false => Ok(()),
        }
    }
}

impl Files {
    /// # Errors
    /// Why it is no kubeconfig, or none that stands alone: whoever hands one over could name any program or file of ours, or
    /// have a login of ours renewed.
    pub(super) fn handed_over(text: &str) -> Result<Self, String> {
        let path = Path::new("/handed over/kubeconfig");
        let config = Kubeconfig::parse(text.as_bytes(), path)?;
        config.stands_alone().map_err(|why| format!("it {why}"))?;
        Ok(Self { groups: vec![vec![config]], ..Self::default() })
    }

    /// Reads what is there: files that stand for themselves, folders of such, and `kubectls`, which are one
    /// configuration. A file of `kubectls` that is not there is left out, as kubectl does.
    pub(super) fn read(own: &[PathBuf], kubectls: &[PathBuf]) -> Self {
        let mut files = Self::default();
        let mut group = Vec::new();
        for path in kubectls.iter().take(FILES_MAX) {
            if path.exists() {
                group.extend(files.take(path));
            }
        }
        if !group.is_empty() {
            files.groups.push(group);
            files.has_kubectls = true;
        }
        for path in own.iter().take(FILES_MAX) {
            if path.is_dir() {
                for inside in files_in(path) {
                    // Folders hold other things too: what is no kubeconfig is passed over.
                    if let Ok(config) = Kubeconfig::read(&inside) {
                        files.keep(config.clone());
                        files.groups.push(vec![config]);
                    }
                }
            } else if let Some(config) = files.take(path) {
                files.groups.push(vec![config]);
            }
        }
        files
    }

    fn take(&mut self, path: &Path) -> Option<Kubeconfig> {
        match Kubeconfig::read(path) {
            Ok(config) => {
                self.keep(config.clone());
                Some(config)
            }
            Err(reason) => {
                let remarks = Vec::new();
                self.told.push(ClusterFile { path: path.to_owned(), state: Err(reason), remarks });
                None
            }
        }
    }

    fn keep(&mut self, config: Kubeconfig) {
        self.told.push(ClusterFile {
            path: config.path,
            state: Ok(config.contexts.len()),
            remarks: config.remarks,
        });
    }

    /// What became of each file.
    pub(super) fn told(&self) -> &[ClusterFile] {
        &self.told
    }

    /// The context that kubectl would use.
    pub(super) fn current(&self) -> Option<ContextKey> {
        let group = self.groups.iter().find(|group| group.iter().any(|file| file.current.is_some()))?;
        let name = group.iter().find_map(|file| file.current.clone())?;
        let file = group.iter().find(|file| file.contexts.iter().any(|context| context.name == name))?;
        Some(ContextKey { file: file.path.clone(), name })
    }

    /// Every context of every file, in their order.
    pub(super) fn contexts(&self) -> Vec<ClusterContext> {
        let mut all = Vec::new();
        for group in &self.groups {
            for (at, file) in group.iter().enumerate() {
                for context in &file.contexts {
                    let earlier = &group[..at];
                    let winner = earlier
                        .iter()
                        .find(|file| file.contexts.iter().any(|other| other.name == context.name));
                    let shadowed_by = winner.map(|file| file.path.clone());
                    all.push(told(group, file, context, shadowed_by));
                }
            }
        }
        all
    }

    /// All that is needed to connect to a context.
    ///
    /// # Errors
    /// What is missing, in words.
    pub(super) fn resolve(&self, key: &ContextKey) -> Result<Resolved, String> {
        let at = self.groups.iter().position(|group| group.iter().any(|file| file.path == key.file));
        let at = at.ok_or("its kubeconfig is not there any more, or cannot be read")?;
        let group = &self.groups[at];
        let own = group.iter().filter(|file| file.path == key.file);
        let context = find(own.flat_map(|file| &file.contexts), &key.name)
            .ok_or("its kubeconfig does not have it any more")?;
        let (cluster, user) = parts(group, context);
        let problems = problems(context, cluster, user);
        if let Some(problem) = problems.into_iter().next() {
            return Err(problem);
        }
        Ok(Resolved {
            key: key.clone(),
            cluster: cluster.cloned().unwrap_or_default(),
            user: user.cloned().unwrap_or_default(),
            namespace: namespace(context),
            is_kubectls: self.has_kubectls && at == 0,
        })
    }
}

pub(super) fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_shown =
        |path: &PathBuf| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let paths = entries.map(|entry| entry.path()).filter(|path| is_shown(path) && path.is_file());
    let mut paths: Vec<PathBuf> = paths.take(FILES_MAX).collect();
    paths.sort();
    paths
}

fn parts<'a>(group: &'a [Kubeconfig], context: &Context) -> (Option<&'a Cluster>, Option<&'a User>) {
    let cluster = find(group.iter().flat_map(|file| &file.clusters), &context.cluster);
    let user = find(group.iter().flat_map(|file| &file.users), &context.user);
    (cluster, user)
}

fn namespace(context: &Context) -> String {
    context.namespace.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| "default".to_owned())
}

fn told(
    group: &[Kubeconfig],
    file: &Kubeconfig,
    context: &Named<Context>,
    shadowed_by: Option<PathBuf>,
) -> ClusterContext {
    let (cluster, user) = parts(group, &context.is);
    ClusterContext {
        key: ContextKey { file: file.path.clone(), name: context.name.clone() },
        cluster: context.is.cluster.clone(),
        user: context.is.user.clone(),
        namespace: namespace(&context.is),
        server: cluster.map(|cluster| without_credentials(&cluster.server)).unwrap_or_default(),
        shadowed_by,
        is_insecure: cluster.is_some_and(|cluster| cluster.insecure_skip_tls_verify),
        login: user.map_or(Login::Nothing, login),
        problems: problems(&context.is, cluster, user),
    }
}

fn login(user: &User) -> Login {
    let is_set = |secret: &Option<Secret>| secret.as_ref().is_some_and(|secret| !secret.expose().is_empty());
    if let Some(exec) = &user.exec {
        let name = Path::new(&exec.command).file_name().unwrap_or_default();
        Login::Command(name.to_string_lossy().into_owned())
    } else if let Some(provider) = &user.auth_provider {
        Login::Provider(provider.name.clone())
    } else if is_set(&user.token) || user.token_file.is_some() {
        Login::Token
    } else if user.username.is_some() {
        Login::Basic
    } else if user.client_certificate.is_some() || user.client_certificate_data.is_some() {
        Login::Certificate
    } else {
        Login::Nothing
    }
}

fn problems(context: &Context, cluster: Option<&Cluster>, user: Option<&User>) -> Vec<String> {
    let mut found = Vec::new();
    match cluster {
        _ if context.cluster.is_empty() => found.push("it names no cluster".to_owned()),
        None => found.push(format!("its cluster {} is in no kubeconfig", shown(&context.cluster))),
        Some(cluster) if cluster.server.is_empty() => {
            found.push(format!("its cluster {} has no server", shown(&context.cluster)));
        }
        Some(cluster) => match url::Url::parse(&cluster.server) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {}
            _ => found.push(format!("the server of its cluster {} is no URL", shown(&context.cluster))),
        },
    }
    if let Some(cluster) = cluster
        && cluster.insecure_skip_tls_verify
        && (cluster.certificate_authority.is_some() || cluster.certificate_authority_data.is_some())
    {
        found.push(
            "its cluster has a certificate authority, and is told not to look at certificates".to_owned(),
        );
    }
    if user.is_none() && !context.user.is_empty() {
        found.push(format!("its user {} is in no kubeconfig", shown(&context.user)));
    }
    found
}

/// A name as it can be shown: of bounded length, and without what would tell a terminal what to do.
fn shown(name: &str) -> String {
    let kept: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
    format!("“{kept}”")
}

pub(super) fn without_credentials(server: &str) -> String {
    let Ok(mut url) = url::Url::parse(server) else { return String::new() };
    // Fails only for URLs that have no place for them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string().trim_end_matches('/').to_owned()
}

/// The files that kubectl would use.
#[must_use]
pub(super) fn kubectls() -> Vec<PathBuf> {
    match std::env::var_os("KUBECONFIG").filter(|list| !list.is_empty()) {
        Some(list) => std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect(),
        None => {
            let folders = directories::BaseDirs::new();
            folders.map(|folders| folders.home_dir().join(".kube").join("config")).into_iter().collect()
        }
    }
}

#[cfg(test)]
mod tests;
