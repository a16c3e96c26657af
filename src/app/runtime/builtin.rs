//! The built-in adapters: steps computed by the adapter's side, carried out by the cluster's.

use tokio::runtime::Handle;
use tokio::sync::broadcast::{self, error::RecvError};

use crate::account::Keyring;
use crate::adapter::builtin::{self, Operable};
use crate::adapter::{Backend, Login, Reporter};
use crate::app::operations;
use crate::cluster::{Kubeconfigs, Link, Refused, Tokens, carry_out};
use crate::model::adapter::book::GOING_ON;
use crate::model::adapter::{
    AdapterEvent, AdapterFacts, Change, Changed, News, OperationRequest, Progress, Severity, Step,
};
use crate::model::cluster::Trouble;

/// The most objects of one step that are named one by one; of more the count is told.
const NAMED_MAX: usize = 20;

/// The most operations that are asked to stop at once.
const STOPS_MAX: usize = 64;

/// Operates one mesh.
pub(super) struct BuiltIn {
    mesh: Operable,
    handle: Handle,
    stops: Stops,
}

/// Ends operations that go on, by their ids.
#[derive(Clone)]
pub(super) struct Stops(broadcast::Sender<String>);

impl Default for Stops {
    fn default() -> Self {
        Self(broadcast::Sender::new(STOPS_MAX))
    }
}

impl Stops {
    pub(super) fn stop(&self, operation: String) {
        // Nothing may go on.
        let _ = self.0.send(operation);
    }

    /// Waits until this operation is to end.
    async fn asked(mut heard: broadcast::Receiver<String>, operation: &str) {
        loop {
            match heard.recv().await {
                Ok(asked) if asked == operation && !asked.is_empty() => return,
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

impl BuiltIn {
    /// Works on this runtime.
    pub(super) fn new(mesh: Operable, handle: Handle, stops: Stops) -> Self {
        Self { mesh, handle, stops }
    }
}

impl Backend for BuiltIn {
    fn facts(&self) -> AdapterFacts {
        operations::facts(self.mesh)
    }

    fn apply(&self, request: OperationRequest, logins: Vec<Login>, report: Reporter) {
        let mesh = self.mesh;
        // Heard from now on: who asks for it may stop it at once.
        let stops = self.stops.0.subscribe();
        self.handle.spawn(async move {
            let offered = builtin::operations(mesh);
            let text = offered.into_iter().find(|operation| operation.key == request.key);
            let text = text.map_or(request.key.clone(), |operation| operation.text);
            let ended = tokio::select! {
                ended = work(mesh, &request, &logins, &report) => ended,
                () = Stops::asked(stops, &request.id) => Err(stopped()),
            };
            let end = match ended {
                Ok(()) => AdapterEvent {
                    summary: if request.removes {
                        format!("Undone: {text}")
                    } else {
                        format!("Done: {text}")
                    },
                    ..AdapterEvent::default()
                },
                Err(trouble) => AdapterEvent {
                    severity: Severity::Error,
                    summary: trouble.title,
                    cause: trouble.cause,
                    remedy: trouble.advice,
                    ..AdapterEvent::default()
                },
            };
            report.tell(end);
        });
    }
}

fn stopped() -> Trouble {
    Trouble {
        title: "It was stopped".to_owned(),
        cause: "a person stopped it".to_owned(),
        advice: "What was done until then stays: ask for it again, or take it away with Remove".to_owned(),
    }
}

async fn work(
    mesh: Operable,
    request: &OperationRequest,
    logins: &[Login],
    report: &Reporter,
) -> Result<(), Trouble> {
    let failed = |title: &str, cause: String, advice: &str| Trouble {
        title: title.to_owned(),
        cause,
        advice: advice.to_owned(),
    };
    let steps = builtin::steps(mesh, request)
        .map_err(|cause| failed("The operation cannot be done", cause, "Change what was asked for"))?;
    if logins.is_empty() {
        let cause = "no kubeconfig came with the operation".to_owned();
        return Err(failed(
            "The operation was not begun",
            cause,
            "Choose the contexts in which it is to be done",
        ));
    }
    for login in logins {
        let link = open(login).await?;
        let mut teller = Teller { report, login, steps: &steps, changed: Vec::new() };
        carry_out(&link, &steps, |progress| teller.tell(progress)).await?;
    }
    Ok(())
}

/// A login that is handed over runs no program and reads no file: nobody is there to agree.
async fn open(login: &Login) -> Result<Link, Trouble> {
    let unusable = |cause: String| {
        Trouble {
        title: "The kubeconfig that was handed over cannot be used".to_owned(),
        cause,
        advice: "Hand over one with a single context and everything in it: kubectl config view --minify --flatten, \
                 with a token in the place of a program"
            .to_owned(),
    }
    };
    let files = Kubeconfigs::handed_over(login.expose()).map_err(unusable)?;
    let key = files.current().or_else(|| files.contexts().first().map(|context| context.key.clone()));
    let key = key.ok_or_else(|| unusable("it has no context".to_owned()))?;
    let tokens = Tokens::new(std::sync::Arc::new(Keyring::default()));
    match Link::open(&files, &key, &|_| Some(false), &tokens).await {
        Ok(link) => Ok(link),
        Err(Refused::Trouble(trouble)) => Err(*trouble),
        Err(Refused::NeedsConsent(_)) => Err(unusable("it logs in with a program or a file".to_owned())),
    }
}

/// Tells of steps as events.
struct Teller<'a> {
    report: &'a Reporter,
    login: &'a Login,
    steps: &'a [Step],
    changed: Vec<Change>,
}

impl Teller<'_> {
    fn tell(&mut self, progress: Progress) {
        let event = |severity, summary: String| AdapterEvent {
            severity,
            summary,
            code: GOING_ON.to_owned(),
            ..AdapterEvent::default()
        };
        let place = format!("{}/{}", progress.step + 1, progress.of);
        match progress.news {
            News::Begun => {
                let words = builtin::describe(&self.steps[progress.step..=progress.step]).join(" ");
                let context = if self.login.context.is_empty() {
                    String::new()
                } else {
                    format!(" [{}]", self.login.context)
                };
                self.report.tell(event(Severity::Info, format!("{place}{context} {words}")));
            }
            News::Changed(change) => self.changed.push(change),
            News::Waits { ready, wanted, waits_for } => {
                let mut told = event(Severity::Info, format!("{place} {ready} of {wanted} pods are ready"));
                told.details = waits_for.join("\n");
                self.report.tell(told);
            }
            News::Told(words) => self.report.tell(event(Severity::Info, words)),
            News::Found(finding) => {
                let summary = format!("{}: {}", finding.subject, finding.summary);
                // A finding is an answer, and no failure of the operation.
                let severity =
                    if finding.severity == Severity::Info { Severity::Info } else { Severity::Warning };
                self.report.tell(AdapterEvent { remedy: finding.remedy, ..event(severity, summary) });
            }
            News::Done => {
                let changed = std::mem::take(&mut self.changed);
                if !changed.is_empty() {
                    let mut told = event(Severity::Info, format!("{place} {}", in_short(&changed)));
                    told.details = named(&changed);
                    self.report.tell(told);
                }
            }
        }
    }
}

fn verb(how: &Changed) -> &'static str {
    match how {
        Changed::Created => "created",
        Changed::Unchanged => "left as it was",
        Changed::Fields(_) => "changed",
        Changed::Removed => "taken away",
        Changed::Released => "left to others",
        Changed::Restarted => "started anew",
    }
}

/// `3 created, 1 changed`.
fn in_short(changes: &[Change]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for change in changes {
        let verb = verb(&change.how);
        match counts.iter_mut().find(|(known, _)| *known == verb) {
            Some((_, count)) => *count += 1,
            None => counts.push((verb, 1)),
        }
    }
    counts.into_iter().map(|(verb, count)| format!("{count} {verb}")).collect::<Vec<_>>().join(", ")
}

fn named(changes: &[Change]) -> String {
    let mut lines: Vec<String> = changes
        .iter()
        .take(NAMED_MAX)
        .map(|change| format!("{} {}", change.object, verb(&change.how)))
        .collect();
    if changes.len() > NAMED_MAX {
        lines.push(format!("and {} more", changes.len() - NAMED_MAX));
    }
    lines.join("\n")
}
