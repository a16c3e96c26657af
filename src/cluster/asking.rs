//! One question to a cluster: within its time, and where it is refused, told with what was to be done.

use std::future::Future;

use kube::Client;
use kube::core::Status;

use super::words::{bounded, of_kube, silent, trouble};
use super::{ANSWER_MAX, Link};
use crate::model::cluster::Trouble;

/// The most fields that an error names.
const FIELDS_MAX: usize = 6;

/// What is asked of a cluster, for the words of an error.
#[derive(Clone, Debug)]
pub(super) struct Doing {
    verb: &'static str,
    /// `deployments.apps`.
    resource: String,
    kind: String,
    namespace: Option<String>,
    name: String,
}

impl Doing {
    pub(super) fn new(
        verb: &'static str,
        resource: &str,
        kind: &str,
        namespace: Option<&str>,
        name: &str,
    ) -> Self {
        let (resource, kind, name) = (resource.to_owned(), kind.to_owned(), name.to_owned());
        Self { verb, resource, kind, namespace: namespace.map(str::to_owned), name }
    }

    /// `Deployment shop/web`.
    pub(super) fn object(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{} {namespace}/{}", self.kind, self.name),
            None => format!("{} {}", self.kind, self.name),
        }
    }

    fn place(&self) -> String {
        self.namespace.as_ref().map_or_else(String::new, |namespace| format!(" in the namespace {namespace}"))
    }
}

impl Link {
    pub(super) fn client(&self) -> &Client {
        self.parts().0
    }

    /// The answer, or why there is none.
    ///
    /// # Errors
    /// In words.
    pub(super) async fn within<T>(
        &self,
        doing: &Doing,
        asked: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, Trouble> {
        match self.within_raw(asked).await {
            Some(answer) => answer.map_err(|error| self.failed(&error, doing)),
            None => Err(self.late(doing)),
        }
    }

    /// As [`Self::within`]; none where it is not there.
    ///
    /// # Errors
    /// In words.
    pub(super) async fn within_or_gone<T>(
        &self,
        doing: &Doing,
        asked: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<Option<T>, Trouble> {
        match self.within_raw(asked).await {
            Some(Ok(answer)) => Ok(Some(answer)),
            Some(Err(kube::Error::Api(status))) if status.code == 404 => Ok(None),
            Some(Err(error)) => Err(self.failed(&error, doing)),
            None => Err(self.late(doing)),
        }
    }

    /// The answer as it is; none where it did not come in time.
    pub(super) async fn within_raw<T>(
        &self,
        asked: impl Future<Output = Result<T, kube::Error>>,
    ) -> Option<Result<T, kube::Error>> {
        tokio::time::timeout(ANSWER_MAX, asked).await.ok()
    }

    pub(super) fn late(&self, doing: &Doing) -> Trouble {
        let (_, server, _) = self.parts();
        let cause = format!("{} {}: no answer within {} s", doing.verb, doing.object(), ANSWER_MAX.as_secs());
        silent(server, &cause)
    }

    pub(super) fn failed(&self, error: &kube::Error, doing: &Doing) -> Trouble {
        let (_, server, through) = self.parts();
        match error {
            kube::Error::Api(status) => of_refusal(status, doing).unwrap_or_else(|| {
                let told = of_kube(error, server, through);
                Trouble { cause: format!("{}: {}", doing.object(), told.cause), ..told }
            }),
            error => of_kube(error, server, through),
        }
    }
}

/// What a server's refusal means for what was to be done; none where it is one of all questions.
fn of_refusal(status: &Status, doing: &Doing) -> Option<Trouble> {
    let (object, message) = (doing.object(), bounded(&status.message));
    let told = match (status.code, status.reason.as_str()) {
        (403, _) if message.contains(" cannot ") => forbidden(&message, doing),
        (403, _) => trouble(
            &format!("The cluster does not take {object}"),
            message,
            "A quota, a policy or the end of its namespace may be the cause",
        ),
        (409, _) => conflict(status, doing),
        (404, _) if doing.namespace.is_some() && message.contains("namespaces ") => {
            trouble(&format!("There is no namespace for {object}"), message, "Make it first")
        }
        (404, _) => trouble(&format!("{object} is not there"), message, "Check its name and namespace"),
        (400 | 422 | 500, _) if is_of_fields(&message) => trouble(
            &format!("{object} has fields that its kind does not know, or has twice"),
            message,
            "Put the manifest right, or install a version of the mesh that knows them",
        ),
        (400 | 422, _) => {
            trouble(&format!("The cluster does not take {object}"), message, "Put the manifest right")
        }
        (500, _) if message.contains("webhook") => trouble(
            &format!("A webhook refused {object}"),
            message,
            "Check that the mesh's control plane, or what the webhook is of, is ready",
        ),
        _ => return None,
    };
    Some(told)
}

/// Whether a server says that fields are not in a kind's schema.
fn is_of_fields(message: &str) -> bool {
    ["strict decoding error", "field not declared in schema"].iter().any(|words| message.contains(words))
}

/// Which right is missing. One question may need several: applying what is not there needs `create` too.
fn forbidden(message: &str, doing: &Doing) -> Trouble {
    let said = message.split_once(" cannot ").and_then(|(_, rest)| rest.split_once(" resource "));
    let verb = said.map_or(doing.verb, |(verb, _)| verb);
    let resource = &doing.resource;
    let role = if doing.namespace.is_some() { "role" } else { "cluster role" };
    trouble(
        &format!("You may not {verb} {resource}{}", doing.place()),
        format!("{}: {message}", doing.object()),
        &format!("Ask for a {role} with the verb {verb} on {resource}"),
    )
}

/// Who holds which fields.
fn conflict(status: &Status, doing: &Doing) -> Trouble {
    let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    let told: Vec<String> = causes
        .iter()
        .filter(|cause| cause.reason == "FieldManagerConflict")
        .take(FIELDS_MAX)
        .map(|cause| {
            let manager = cause.message.split('"').nth(1).unwrap_or("another");
            format!("{} manages {}", bounded(manager), bounded(&cause.field))
        })
        .collect();
    if told.is_empty() {
        let message = bounded(&status.message);
        let title = format!("{} was changed by someone else meanwhile, or is there already", doing.object());
        return trouble(&title, message, "Try again");
    }
    let more = causes.len().saturating_sub(told.len());
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    trouble(
        &format!("{} has fields that someone else manages", doing.object()),
        told.join(", ") + &more,
        "Change it with the tool that manages it, or take it away with that tool first",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(text: &str) -> Status {
        serde_json::from_str(text).expect("a status")
    }

    #[test]
    fn refusals_say_which_right_is_missing_and_who_manages_what() {
        let doing = Doing::new("patch", "deployments.apps", "Deployment", Some("shop"), "web");
        let told = |text: &str| of_refusal(&status(text), &doing);
        let forbidden = told(
            r#"{"code": 403, "reason": "Forbidden", "message": "deployments.apps \"web\" is forbidden: User \"x\" cannot create resource \"deployments\" in API group \"apps\" in the namespace \"shop\""}"#,
        )
        .expect("a refusal");
        assert_eq!(forbidden.title, "You may not create deployments.apps in the namespace shop");
        assert!(forbidden.advice.contains("verb create on deployments.apps"), "{forbidden:?}");
        let conflict = told(
            r#"{"code": 409, "reason": "Conflict", "message": "Apply failed", "details": {"causes": [
                {"reason": "FieldManagerConflict", "message": "conflict with \"kubectl\" using apps/v1", "field": ".spec.replicas"}]}}"#,
        )
        .expect("a refusal");
        assert_eq!(conflict.title, "Deployment shop/web has fields that someone else manages");
        assert_eq!(conflict.cause, "kubectl manages .spec.replicas");
        let quota = told(r#"{"code": 403, "reason": "Forbidden", "message": "exceeded quota: small"}"#);
        assert!(quota.expect("a refusal").title.starts_with("The cluster does not take Deployment shop/web"));
        assert_eq!(told(r#"{"code": 503, "reason": "ServiceUnavailable", "message": "busy"}"#), None);
    }
}
