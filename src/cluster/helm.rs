//! Charts, with the person's own `helm`: found as their shell would find it, logged in by a kubeconfig that only it can
//! read for as long as it runs, and with caches of its own that go with it.

use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Link;
use super::apply::Tell;
use super::identity::with_identity;
use super::kubeconfig::Secret;
use super::private::PrivateFolder;
use super::program::{self, Said};
use super::words::{bounded, trouble};
use crate::model::adapter::{HelmRelease, News};
use crate::model::cluster::Trouble;

/// The longest that one call of helm may take; its hooks may wait for pods.
const HELM_MAX: Duration = Duration::from_secs(600);
/// How long helm itself waits for hooks.
const HOOKS: &str = "--timeout=540s";
/// The longest that a list of versions may take.
const VERSIONS_TIME_MAX: Duration = Duration::from_secs(60);
/// The most versions of a chart that are told.
const VERSIONS_MAX: usize = 200;
/// Between two words that it goes on.
const TOLD_EVERY: Duration = Duration::from_secs(5);
/// What the person's shell may say to helm and is not meant for this cluster.
const NOT_INHERITED: [&str; 8] = [
    "HELM_KUBECONTEXT",
    "HELM_KUBETOKEN",
    "HELM_KUBEASUSER",
    "HELM_KUBEASGROUPS",
    "HELM_KUBEAPISERVER",
    "HELM_KUBECAFILE",
    "HELM_KUBETLS_SERVER_NAME",
    "HELM_NAMESPACE",
];

/// Programs that steps are carried out with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Means {
    /// Where helm is; none to find it as the person's shell would.
    pub helm: Option<PathBuf>,
}

/// A version of a chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartVersion {
    /// The chart's own: what an installation asks for.
    pub chart: String,
    /// That of what it installs.
    pub app: String,
}

/// helm, ready to run.
struct Helm {
    program: PathBuf,
    folder: PrivateFolder,
}

/// Installs or upgrades a chart.
///
/// # Errors
/// What did not work, in words.
pub(super) async fn install(
    link: &Link,
    release: &HelmRelease,
    means: &Means,
    tell: Tell<'_>,
) -> Result<(), Trouble> {
    let helm = Helm::find(means).await?;
    let (chart, repository) = match release.repository.as_str() {
        oci if oci.starts_with("oci://") => (format!("{oci}/{}", release.chart), ""),
        "" => (path(&release.chart)?, ""),
        repository => (release.chart.clone(), repository),
    };
    let mut arguments = vec!["upgrade".to_owned(), "--install".to_owned()];
    arguments.push(positional(&release.release)?);
    arguments.push(positional(&chart)?);
    arguments.push(format!("--namespace={}", release.namespace));
    arguments.extend(["--create-namespace".to_owned(), HOOKS.to_owned()]);
    if !repository.is_empty() {
        arguments.push(format!("--repo={repository}"));
    }
    if !release.version.is_empty() {
        arguments.push(format!("--version={}", release.version));
    }
    let values = match release.makes_identity {
        true => {
            let (values, told) = with_identity(link, release).await?;
            tell(News::Told(told));
            values
        }
        false => release.values.clone(),
    };
    if !values.trim().is_empty() {
        let file = helm.folder.write("values.yaml", &values).map_err(|error| unwritten(&error))?;
        arguments.push(format!("--values={}", file.display()));
    }
    let what = format!("helm installs {}", release.release);
    let said = helm.run_in(link, arguments, &what, tell).await?;
    if said.status.success() {
        tell(News::Told(format!("{} is installed in the namespace {}", release.release, release.namespace)));
        return Ok(());
    }
    Err(failed(&format!("helm could not install {}", release.release), &said))
}

/// Takes a release away, and nothing where there is none.
///
/// # Errors
/// What did not work, in words.
pub(super) async fn uninstall(
    link: &Link,
    (release, namespace): (&str, &str),
    means: &Means,
    tell: Tell<'_>,
) -> Result<(), Trouble> {
    let helm = Helm::find(means).await?;
    let arguments = vec![
        "uninstall".to_owned(),
        positional(release)?,
        format!("--namespace={namespace}"),
        HOOKS.to_owned(),
    ];
    let said = helm.run_in(link, arguments, &format!("helm uninstalls {release}"), tell).await?;
    if said.status.success() {
        tell(News::Told(format!("{release} is taken away from the namespace {namespace}")));
        return Ok(());
    }
    if said.errors.contains("not found") {
        tell(News::Told(format!("There is no release {release} in the namespace {namespace}")));
        return Ok(());
    }
    Err(failed(&format!("helm could not uninstall {release}"), &said))
}

/// The versions of a chart in a repository, newest first.
///
/// # Errors
/// What did not work, in words.
pub async fn chart_versions(
    repository: &str,
    chart: &str,
    means: &Means,
) -> Result<Vec<ChartVersion>, Trouble> {
    const NAME: &str = "asked";
    let helm = Helm::find(means).await?;
    let add = ["repo".to_owned(), "add".to_owned(), NAME.to_owned(), positional(repository)?];
    let said = helm.run(&add, VERSIONS_TIME_MAX).await?;
    if !said.status.success() {
        return Err(failed(&format!("helm could not read the repository {repository}"), &said));
    }
    let wanted = format!("{NAME}/{chart}");
    let search = ["search", "repo", wanted.as_str(), "--versions", "--output=json"].map(str::to_owned);
    let said = helm.run(&search, VERSIONS_TIME_MAX).await?;
    let listed: Option<Vec<Value>> = serde_json::from_slice(&said.output).ok();
    let Some(listed) = listed.filter(|_| said.status.success()) else {
        return Err(failed(&format!("helm could not list the versions of {chart}"), &said));
    };
    let text = |entry: &Value, key: &str| bounded(entry[key].as_str().unwrap_or_default());
    let versions = listed.iter().filter(|entry| entry["name"] == wanted.as_str());
    Ok(versions
        .take(VERSIONS_MAX)
        .map(|entry| ChartVersion { chart: text(entry, "version"), app: text(entry, "app_version") })
        .collect())
}

impl Helm {
    async fn find(means: &Means) -> Result<Self, Trouble> {
        let program = match &means.helm {
            // It runs in another folder.
            Some(path) => std::path::absolute(path).ok().filter(|path| path.is_file()),
            None => program::find("helm").await,
        };
        let Some(program) = program else {
            let cause = match &means.helm {
                Some(path) => format!("{} is not there", path.display()),
                None => "helm is not on the PATH of this program, nor of your login shell".to_owned(),
            };
            return Err(trouble(
                "Helm is not installed",
                cause,
                "Install Helm 3 or later (helm.sh says how), or start Meshbench from a terminal in which it is found",
            ));
        };
        let folder = PrivateFolder::new().map_err(|error| unwritten(&error))?;
        Ok(Self { program, folder })
    }

    /// Runs it with the way into a cluster, and tells every few seconds that it goes on.
    async fn run_in(
        &self,
        link: &Link,
        mut arguments: Vec<String>,
        what: &str,
        tell: Tell<'_>,
    ) -> Result<Said, Trouble> {
        let kubeconfig = link.minified_kubeconfig().await?;
        let file = self.folder.write("kubeconfig", kubeconfig.expose()).map_err(|error| unwritten(&error))?;
        arguments.push(format!("--kubeconfig={}", file.display()));
        while_told(self.run(&arguments, HELM_MAX), what, tell).await
    }

    async fn run(&self, arguments: &[String], limit: Duration) -> Result<Said, Trouble> {
        let home = |name: &str| Secret::new(self.folder.path().join(name).display().to_string());
        let mut variables: Vec<(String, Secret)> =
            NOT_INHERITED.iter().map(|name| ((*name).to_owned(), Secret::default())).collect();
        for (name, folder) in [
            ("HELM_CACHE_HOME", "cache"),
            ("HELM_CONFIG_HOME", "config"),
            ("HELM_DATA_HOME", "data"),
            ("KUBECONFIG", "kubeconfig"),
        ] {
            variables.push((name.to_owned(), home(folder)));
        }
        // Where we are, a folder may have the name of a chart, and helm would take that.
        let run = program::run_in(Some(self.folder.path()), &self.program, arguments, &variables, limit);
        run.await.map_err(|error| {
            let cause = match error.kind() {
                std::io::ErrorKind::TimedOut => format!("it was ended after {} s", limit.as_secs()),
                std::io::ErrorKind::FileTooLarge => "it said more than 1 MiB".to_owned(),
                _ => error.to_string(),
            };
            let cause = format!("{}: {cause}", self.program.display());
            trouble("helm did not work", cause, "Run it in a terminal to see what it says")
        })
    }
}

async fn while_told<T>(work: impl Future<Output = T>, what: &str, tell: Tell<'_>) -> T {
    let mut work = std::pin::pin!(work);
    let begun = Instant::now();
    loop {
        match tokio::time::timeout(TOLD_EVERY, &mut work).await {
            Ok(done) => return done,
            Err(_) => tell(News::Told(format!("{what}: {} s", begun.elapsed().as_secs()))),
        }
    }
}

/// A chart's folder or file, from wherever helm runs.
fn path(chart: &str) -> Result<String, Trouble> {
    let chart = positional(chart)?;
    Ok(std::path::absolute(&chart).map_or(chart, |path| path.display().to_string()))
}

/// What must not be taken for an option.
fn positional(word: &str) -> Result<String, Trouble> {
    if word.is_empty() || word.starts_with('-') {
        let cause = format!("“{}” is no name of a release, a chart or a repository", bounded(word));
        return Err(trouble("helm cannot be asked for this", cause, "Check the operation"));
    }
    Ok(word.to_owned())
}

fn unwritten(error: &std::io::Error) -> Trouble {
    trouble(
        "helm cannot be given what it needs",
        format!("no temporary file: {error}"),
        "Check the folder for temporary files",
    )
}

fn failed(title: &str, said: &Said) -> Trouble {
    let errors = bounded(&said.errors);
    let advice = if errors.contains("another operation") {
        "An earlier helm was ended before it was done: helm rollback, or uninstall the release, then try again"
    } else if errors.contains("forbidden") {
        "Ask for a role that allows it; installing a mesh needs the rights of a cluster's admin"
    } else {
        "See the cause; the chart's own page says which values and versions it takes"
    };
    trouble(title, if errors.is_empty() { said.status.to_string() } else { errors }, advice)
}
