//! Ten thousand records, logins that last two seconds, and a way and a server that break off.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use meshbench::account::{Sessions, Verifier, VerifyError};
use meshbench::model::run::RunEdit;
use meshbench::sync::client::{Tokens, Which};
use meshbench::sync::server::{Admission, Denied, Gate, Person, open_store};
use uuid::Uuid;

use super::chaos::{address_again, bad_way};
use super::parts::{Machine, Running, in_time, limits};
use crate::login::flows::{Pocket, logged_in};
use crate::login::{AUDIENCE, OpenId};
use crate::store::{Draw, run};

const MACHINES: usize = 3;
const RUNS: u64 = 2500;
/// Of each run: itself, and what was said of it.
const RECORDS_OF_RUN: usize = 4;
const LIFE_SECS: u32 = 2;
/// Of what the server would let pass after the end of a token, it is not given: but for the second that a token's own time
/// is rounded to.
const STRICTER: SignedDuration = SignedDuration::from_secs(59);

/// Takes the provider's tokens while they last, and not longer.
struct Strict(Verifier);

impl Gate for Strict {
    fn admit<'a>(&'a self, token: &'a str) -> Admission<'a> {
        Box::pin(async move {
            let proven = self.0.access(token, Timestamp::now() + STRICTER).await;
            let bearer = proven.map_err(|error| match error {
                VerifyError::Unavailable(reason) => Denied::Unknown(reason),
                error => Denied::Invalid(error.to_string()),
            })?;
            Ok(Person { subject: bearer.subject, name: bearer.name, groups: bearer.groups })
        })
    }
}

/// A login of its own; every token that it has had is noted.
async fn login(openid: &OpenId, had: &Arc<Mutex<HashSet<String>>>) -> Tokens {
    let account = Uuid::from_u128(5 << 100);
    let sessions = Sessions::new(Arc::new(Pocket::default()));
    sessions.keep(account, logged_in(openid).await.tokens).await;
    let (provider, had) = (openid.provider(), Arc::clone(had));
    Arc::new(move |which| {
        let (sessions, provider, had) = (sessions.clone(), provider.clone(), Arc::clone(&had));
        Box::pin(async move {
            let token = sessions.access(account, &provider, which == Which::Fresh).await;
            let token = token.map_err(|error| error.to_string())?;
            had.lock().unwrap().insert(token.clone());
            Ok(token)
        })
    })
}

/// Exchanges, again and again until it is done, and counts how often it failed.
async fn in_the_end(machine: &Machine, tokens: &Tokens, failures: &AtomicU32) {
    while let Err(error) = machine.sync_with(Arc::clone(tokens)).await {
        assert!(error.may_pass(), "{error}");
        failures.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A program that is ended now and again, at any moment; how often.
async fn ended_at_times(machine: &Machine, tokens: &Tokens, failures: &AtomicU32, seed: u64) -> u32 {
    let (mut draw, mut ended) = (Draw(seed), 0);
    for _ in 0..4 {
        let patience = Duration::from_millis(50 + draw.below(2500));
        ended +=
            u32::from(tokio::time::timeout(patience, in_the_end(machine, tokens, failures)).await.is_err());
    }
    ended
}

/// How many the server keeps.
fn records(folder: &Path) -> usize {
    let spaces = std::fs::read_dir(folder.join("spaces")).unwrap();
    spaces.map(|space| std::fs::read_dir(space.unwrap().path().join("records")).unwrap().count()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_records_are_everywhere_in_the_end_whatever_ends_meanwhile() {
    let mut draw = Draw::from_environment(6);
    let openid = OpenId::start(LIFE_SECS);
    let folder = tempfile::tempdir().unwrap();
    let serve = async |at| {
        let verifier = Verifier::new(&openid.issuer, AUDIENCE, "groups").unwrap();
        let store = open_store(folder.path().to_str().unwrap()).unwrap();
        Running::for_those(Arc::new(Strict(verifier)), store, limits(), at).await
    };
    let mut server = serve("127.0.0.1:0".parse().unwrap()).await;
    let address = server.address;
    let way = bad_way(address, draw.next()).await;
    let (had, failures) = (Arc::default(), Arc::<AtomicU32>::default());
    let (mut machines, mut at_once) = (Vec::new(), Vec::new());
    for number in 0..MACHINES as u64 {
        let (machine, tokens) = (Machine::alone("alice", way), login(&openid, &had).await);
        let runs: Vec<_> = (number..RUNS).step_by(MACHINES).map(run).collect();
        runs.chunks(500).for_each(|runs| drop(machine.store.save_runs(runs).unwrap()));
        for run in &runs {
            for word in 1..RECORDS_OF_RUN {
                let at = run.started + SignedDuration::from_secs(word as i64);
                machine.store.edit_run(run.id, RunEdit::Name(format!("{} {word}", run.name)), at).unwrap();
            }
        }
        machines.push((machine, tokens));
    }
    for (machine, tokens) in machines.clone() {
        let (failures, seed) = (Arc::clone(&failures), draw.next());
        at_once.push(tokio::spawn(async move { ended_at_times(&machine, &tokens, &failures, seed).await }));
    }
    let mut ended = 0;
    for one in at_once {
        // And the server too.
        tokio::time::sleep(Duration::from_millis(500 + draw.below(1500))).await;
        server.kill();
        server = serve(address_again(address).await).await;
        ended += one.await.unwrap();
    }
    for _ in 0..2 {
        for (machine, tokens) in &machines {
            in_time(in_the_end(machine, tokens, &failures)).await;
        }
    }
    let shown: Vec<String> = machines.iter().map(|(machine, _)| machine.shown()).collect();
    assert!(shown.iter().all(|one| *one == shown[0]), "they differ");
    for (machine, _) in &machines {
        assert_eq!(machine.store.summaries().unwrap().len() as u64, RUNS);
        assert_eq!((machine.waiting(), machine.store.refused(machine.target.id).unwrap()), (0, Vec::new()));
    }
    assert_eq!(records(folder.path()), RUNS as usize * RECORDS_OF_RUN);
    let (failures, had) = (failures.load(Ordering::Relaxed), had.lock().unwrap().len());
    println!("{failures} failed exchanges, {ended} broken off, {had} tokens");
    assert!(failures > 0 && ended > 0, "nothing went wrong");
    assert!(had > 3 * MACHINES, "no login was renewed");
    server.end().await;
}
