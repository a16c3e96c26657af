//! Keycloak itself, where somebody has it: `MESHBENCH_KEYCLOAK` names the folder of an unpacked distribution (of Maven Central:
//! `org.keycloak:keycloak-quarkus-dist`), which needs Java. It is copied, and takes about a minute to start.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use meshbench::account::{LoginStep, Sessions, TellLogin, Verifier, by_browser, by_device};
use meshbench::model::account::{Provider, ProviderKind};
use uuid::Uuid;

use super::flows::Pocket;
use super::{AUDIENCE, browse_as};
use crate::kube::{Process, free_port, until};

const ALICE: (&str, &str) = ("alice", "wonderland");
const ACCOUNT: Uuid = Uuid::from_u128(3 << 100);

/// A realm as an administrator makes one for Meshbench.
fn realm() -> String {
    serde_json::json!({
        "realm": "perf", "enabled": true, "sslRequired": "none", "accessTokenLifespan": 300,
        "groups": [{ "name": "devs" }],
        "users": [{
            "username": ALICE.0, "enabled": true, "email": "alice@example.test", "emailVerified": true,
            "firstName": "Alice", "lastName": "Example", "groups": ["/devs"], "realmRoles": ["default-roles-perf"],
            "credentials": [{ "type": "password", "value": ALICE.1, "temporary": false }],
        }],
        "clients": [{
            "clientId": "meshbench", "enabled": true, "publicClient": true, "standardFlowEnabled": true,
            "directAccessGrantsEnabled": false, "redirectUris": ["http://127.0.0.1/callback"],
            "attributes": {
                "pkce.code.challenge.method": "S256", "oauth2.device.authorization.grant.enabled": "true",
            },
            "defaultClientScopes": ["basic", "profile", "email", "roles"], "optionalClientScopes": ["offline_access"],
            "protocolMappers": [
                { "name": "audience", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
                  "config": { "included.custom.audience": AUDIENCE, "access.token.claim": "true" } },
                { "name": "groups", "protocol": "openid-connect", "protocolMapper": "oidc-group-membership-mapper",
                  "config": { "claim.name": "groups", "full.path": "false", "access.token.claim": "true" } },
            ],
        }],
    })
    .to_string()
}

struct Keycloak {
    issuer: String,
    folder: tempfile::TempDir,
    _process: Process,
}

impl Keycloak {
    fn start(distribution: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let copied =
            Command::new("cp").arg("-R").arg(distribution).arg(folder.path().join("keycloak")).status();
        assert!(copied.expect("cp").success());
        let home = folder.path().join("keycloak");
        let _ = std::fs::remove_dir_all(home.join("data"));
        std::fs::create_dir_all(home.join("data/import")).expect("a folder");
        std::fs::write(home.join("data/import/perf.json"), realm()).expect("written");
        let (port, log) = (free_port(), folder.path().join("log"));
        // The script hands over to Java, which then is the process.
        let script = format!(
            "JAVA_OPTS_KC_HEAP='-Xms64m -Xmx512m' exec {} start-dev --import-realm --http-host=127.0.0.1 --http-port={port}",
            home.join("bin/kc.sh").display()
        );
        let mut process = Process::start("sh", &log, &["-c".to_owned(), script])
            .unwrap_or_else(|reason| panic!("{reason}"));
        let ready = until("Keycloak", Duration::from_secs(300), || {
            process.assert_alive()?;
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            Ok(said.contains("Listening on:").then_some(()))
        });
        ready.unwrap_or_else(|reason| panic!("{reason}"));
        let issuer = format!("http://127.0.0.1:{port}/realms/perf");
        Self { issuer, folder, _process: process }
    }

    fn provider(&self) -> Provider {
        Provider {
            id: Uuid::from_u128(1 << 100),
            name: "Keycloak".to_owned(),
            kind: ProviderKind::OpenId {
                issuer: self.issuer.clone(),
                client_id: "meshbench".to_owned(),
                client_secret: None,
                audience: Some(AUDIENCE.to_owned()),
                scopes: Vec::new(),
                callback: Some("/callback".to_owned()),
            },
            server: None,
        }
    }
}

impl Drop for Keycloak {
    fn drop(&mut self) {
        // Java does not end with the script that started it; of all processes only it has this folder in its arguments.
        let _ = Command::new("pkill").args(["-KILL", "-f"]).arg(self.folder.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Keycloak's distribution, named by MESHBENCH_KEYCLOAK"]
async fn keycloak_logs_in_renews_and_logs_out() {
    let distribution = PathBuf::from(std::env::var_os("MESHBENCH_KEYCLOAK").expect("MESHBENCH_KEYCLOAK"));
    let keycloak = Keycloak::start(&distribution);
    let provider = keycloak.provider();
    let tell: TellLogin = Arc::new(|step| match step {
        LoginStep::Browser { url } => browse_as(&url, ALICE),
        LoginStep::Device { whole, .. } => {
            browse_as(&whole.expect("Keycloak tells the whole address"), ALICE)
        }
    });
    let verifier = Verifier::new(&keycloak.issuer, AUDIENCE, "groups").unwrap();
    let page =
        tokio::time::timeout(Duration::from_secs(60), by_browser(&provider, &tell)).await.unwrap().unwrap();
    let code =
        tokio::time::timeout(Duration::from_secs(60), by_device(&provider, &tell)).await.unwrap().unwrap();
    for logged_in in [page, code] {
        let who = (logged_in.name.as_str(), logged_in.email.as_deref());
        assert_eq!(who, ("Alice Example", Some("alice@example.test")));
        let sessions = Sessions::new(Arc::new(Pocket::default()));
        let subject = logged_in.subject.clone();
        sessions.keep(ACCOUNT, logged_in.tokens).await;
        let first = sessions.access(ACCOUNT, &provider, false).await.unwrap();
        let renewed = sessions.access(ACCOUNT, &provider, true).await.unwrap();
        assert_ne!(renewed, first);
        for token in [&first, &renewed] {
            let bearer = verifier.access(token, Timestamp::now()).await.unwrap();
            assert_eq!((bearer.subject, bearer.groups), (subject.clone(), vec!["devs".to_owned()]));
        }
        sessions.log_out(ACCOUNT, Some(&provider)).await.unwrap();
    }
}
