//! What is deleted is deleted.

use std::time::Duration;

use meshbench::model::digest::Digest;
use meshbench::model::record::Record;
use meshbench::sync::server::{Limits, open_store};
use reqwest::Method;

use super::{Server, files_with, note, refused, run, sealed_run, tombstone, until};

#[tokio::test]
async fn a_run_that_its_own_author_deleted_is_gone_after_the_grace_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path().to_str().unwrap()).unwrap();
    let limits =
        Limits { grace: Duration::ZERO, sweep_every: Duration::from_millis(50), ..Limits::default() };
    let server = Server::over(store, limits).await;
    let runs: Vec<Vec<u8>> = (1..=3).map(sealed_run).collect();
    for bytes in &runs {
        assert_eq!(server.put("ann", "perf", bytes).await.status(), 201);
    }
    // Bob's word does not count; Ann took the second back before the server heard that she had deleted it.
    server.put("bob", "perf", &tombstone(run(3).id, true, 1)).await;
    server.put("ann", "perf", &tombstone(run(2).id, false, 60_000_000)).await;
    server.put("ann", "perf", &tombstone(run(2).id, true, 1)).await;
    server.put("ann", "perf", &tombstone(run(1).id, true, 1)).await;
    let first = Digest::of(&runs[0]);
    until("the end of a deleted run", || async { server.record("bob", "perf", first).await.status() == 410 })
        .await;
    for bytes in &runs[1..] {
        assert_eq!(server.record("bob", "perf", Digest::of(bytes)).await.status(), 200);
    }
    assert_eq!(refused(server.put("bob", "perf", &runs[0]).await).await, (410, "gone".to_owned()));
    let changes = server.changes("bob", "perf", 0, 500).await.changes;
    assert_eq!(changes.iter().map(|change| change.seq).collect::<Vec<_>>(), (1..=7).collect::<Vec<u64>>());
    assert_eq!((changes[0].kind.as_str(), changes[0].digest), ("gone", first));
    assert_eq!((changes[0].author.as_str(), changes[1].kind.as_str()), ("", "run"));
    assert!(files_with(folder.path(), &runs[0]).is_empty());
    server.stop().await;
}

#[tokio::test]
async fn after_an_account_is_deleted_nothing_of_its_person_is_in_the_store_or_in_another_servers_memory() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let other = Server::start(folder.path()).await;
    let mine = note(1, "CANARY-OF-ANN personal");
    let shared = note(2, "CANARY-OF-ANN shared");
    let bobs = note(3, "of bob");
    server.put("ann", "me", &mine).await;
    server.put("ann", "perf", &shared).await;
    server.put("bob", "perf", &bobs).await;
    assert_eq!(other.changes("bob", "perf", 0, 500).await.changes[0].author_name, "ann canary-name");
    assert_eq!(other.record("ann", "me", Digest::of(&mine)).await.status(), 200);
    assert!(matches!(Record::read(&mine, jiff::Timestamp::now()), Ok(Record::Annotation(_))));
    assert_eq!(files_with(folder.path(), b"CANARY-OF-ANN").len(), 2);
    assert_eq!(files_with(folder.path(), b"ann/../canary-subject").len(), 2);
    assert_eq!(server.ask("ann", Method::DELETE, "/v1/me").send().await.unwrap().status(), 204);
    for words in [b"CANARY-OF-ANN".as_slice(), b"ann/../canary-subject", b"ann canary-name"] {
        assert_eq!(files_with(folder.path(), words), Vec::<String>::new());
    }
    let changes = other.changes("bob", "perf", 0, 500).await.changes;
    assert_eq!((changes[0].kind.as_str(), changes[0].author_name.as_str()), ("gone", ""));
    assert_eq!((changes[1].seq, changes[1].digest), (2, Digest::of(&bobs)));
    assert_eq!(other.record("ann", "me", Digest::of(&mine)).await.status(), 404);
    assert_eq!(other.record("bob", "perf", Digest::of(&bobs)).await.status(), 200);
    // Whoever comes back begins anew.
    assert_eq!(other.put("ann", "me", &mine).await.status(), 201);
    assert_eq!(server.changes("ann", "me", 0, 500).await.changes.len(), 1);
    server.stop().await;
    other.stop().await;
}
