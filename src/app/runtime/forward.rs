//! Opens the way of a run's load through a cluster's API server.

#[cfg(unix)]
use crate::app::runtime::clusters;
#[cfg(unix)]
use crate::cluster::{Forward, Refused, Spoken};
use crate::model::Plan;
#[cfg(unix)]
use crate::model::plan::Protocol;
use crate::model::plan::Tunnel;

use super::run::Passage;

/// An open way, for as long as this lives.
pub(super) struct Open {
    /// Where it leads: `pod web-1:8080 through the API server`.
    pub(super) name: String,
    #[cfg(unix)]
    forward: Forward,
}

impl Open {
    /// What the way costs.
    #[cfg(unix)]
    pub(super) fn tunnel(&self) -> Option<Tunnel> {
        Some(self.forward.tunnel)
    }

    /// None: no way is ever open here.
    #[cfg(not(unix))]
    pub(super) fn tunnel(&self) -> Option<Tunnel> {
        None
    }

    /// The plan with its load sent that way.
    #[cfg(unix)]
    pub(super) fn applied(&self, plan: &Plan) -> Plan {
        let mut plan = plan.clone();
        plan.target.reach.unix_socket = Some(self.forward.socket());
        plan
    }

    /// The plan as it is: no way is ever open here.
    #[cfg(not(unix))]
    pub(super) fn applied(&self, plan: &Plan) -> Plan {
        plan.clone()
    }
}

impl Passage {
    /// Opens the way to the Service of a plan. Blocks.
    ///
    /// # Errors
    /// Why it cannot be opened, in words.
    #[cfg(unix)]
    pub(super) fn open(&self, plan: &Plan) -> Result<Open, String> {
        let service = plan.target.service.as_ref().ok_or("the plan names no Service")?;
        let Self { way, handle, tokens } = self;
        let forward = handle.block_on(async {
            let link =
                clusters::open(&way.context, &way.sources, &way.consents, tokens).await.map_err(words)?;
            let opened = link.forward(service, spoken(plan)).await;
            opened.map_err(|trouble| words(Refused::Trouble(Box::new(trouble))))
        })?;
        let name = format!("pod {}:{} through the API server", forward.pod, forward.port);
        Ok(Open { name, forward })
    }

    /// # Errors
    /// Always: this system has no Unix sockets.
    #[cfg(not(unix))]
    pub(super) fn open(&self, _plan: &Plan) -> Result<Open, String> {
        Err("this system has no Unix sockets".to_owned())
    }
}

/// What a plan speaks with its target, as far as that can be used to see how quick the way is.
#[cfg(unix)]
fn spoken(plan: &Plan) -> Option<Spoken> {
    let url = url::Url::parse(&plan.target.url).ok()?;
    let host = || {
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}{port}", url.host_str().unwrap_or_default())
    };
    Some(match (url.scheme(), &plan.target.protocol) {
        ("tcp", _) => Spoken::Echo,
        ("https", _) => Spoken::Tls,
        ("http", Protocol::Http1) => Spoken::Http1 { host: host(), path: url.path().to_owned() },
        ("http", Protocol::Http2 { .. } | Protocol::Grpc { .. }) => Spoken::Http2,
        _ => return None,
    })
}

#[cfg(unix)]
fn words(refused: Refused) -> String {
    match refused {
        Refused::NeedsConsent(_) => {
            "Its cluster can only be connected with your word; connect it on the Clusters page first"
                .to_owned()
        }
        Refused::Trouble(trouble) => format!("{}: {}. {}", trouble.title, trouble.cause, trouble.advice),
    }
}
