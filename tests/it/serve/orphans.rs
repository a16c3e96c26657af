//! What broken-off uploads leave is cleared away, and nothing else.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use meshbench::model::digest::Digest;
use meshbench::sync::server::{Limits, open_store};

use super::{Server, files, note, until};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Sweeps all the time.
fn limits() -> Limits {
    Limits { sweep_every: Duration::from_millis(2), rate_per_sec: 1e6, burst: 1_000_000, ..Limits::default() }
}

async fn server(folder: &Path) -> Server {
    Server::over(open_store(folder.to_str().unwrap()).unwrap(), limits()).await
}

/// Makes a file as old as one that nobody can be writing any more.
fn age(path: &Path) -> std::io::Result<()> {
    let time = SystemTime::now() - DAY - Duration::from_secs(60);
    std::fs::File::options().write(true).open(path)?.set_modified(time)
}

fn is_gone(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound
}

/// Where the only space has its records.
fn place_of_records(folder: &Path) -> PathBuf {
    let space = std::fs::read_dir(folder.join("spaces")).unwrap().next().unwrap().unwrap();
    space.path().join("records")
}

fn inside(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn said(server: &Server, words: &str) -> bool {
    server.log.lock().unwrap().iter().any(|line| line.contains(words))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_broken_off_uploads_left_goes_after_a_day_and_no_record_does() {
    let folder = tempfile::tempdir().unwrap();
    let first = Server::start(folder.path()).await;
    let kept: Vec<Vec<u8>> = (1..=3).map(|number| note(number, "kept")).collect();
    for bytes in &kept {
        assert_eq!(first.put("ann", "me", bytes).await.status(), 201);
    }
    first.stop().await;
    let beside = place_of_records(folder.path());
    assert_eq!(inside(&beside).len(), 3);
    inside(&beside).iter().for_each(|path| age(path).unwrap());
    // Bytes that were written when the server ended: long ago, by an older server too; and just now.
    let digest = Digest::of(&note(9, "left"));
    let (old, older) =
        (beside.join(format!("{digest}-{}", uuid::Uuid::now_v7())), beside.join(digest.to_string()));
    let fresh = beside.join(format!("{digest}-{}", uuid::Uuid::now_v7()));
    for path in [&old, &older, &fresh] {
        std::fs::write(path, note(9, "left")).unwrap();
    }
    [&old, &older].into_iter().for_each(|path| age(path).unwrap());
    let server = server(folder.path()).await;
    until("the end of what was left", || async { said(&server, "\"sweep\":\"collected\"") }).await;
    assert!(!old.exists() && !older.exists() && fresh.exists());
    for bytes in &kept {
        let back = server.record("ann", "me", Digest::of(bytes)).await;
        assert_eq!(back.bytes().await.unwrap(), bytes.as_slice());
    }
    assert!(said(&server, "\"records\":2"));
    server.stop().await;
}

/// Old bytes of the very records that are sent again, while two servers sweep: each upload has a place of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_of_what_is_being_cleared_away_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (server(folder.path()).await, server(folder.path()).await);
    assert_eq!(one.put("ann", "perf", &note(1000, "first")).await.status(), 201);
    let beside = place_of_records(folder.path());
    let all: Vec<Vec<u8>> = (1..=60).map(|number| note(number, "again")).collect();
    let is_over = Arc::new(AtomicBool::new(false));
    let laying = {
        let (beside, all, is_over) = (beside.clone(), all.clone(), Arc::clone(&is_over));
        tokio::task::spawn_blocking(move || {
            for bytes in all.iter().cycle().take_while(|_| !is_over.load(Ordering::Relaxed)) {
                let name = format!("{}-{}", Digest::of(bytes), uuid::Uuid::now_v7());
                // Under another name until it is old.
                let made = beside.join(format!("{name}#1"));
                std::fs::write(&made, bytes).unwrap();
                age(&made).unwrap();
                std::fs::rename(&made, beside.join(name)).unwrap();
            }
        })
    };
    let puts = all.iter().enumerate().map(|(at, bytes)| {
        let server = if at % 2 == 0 { &one } else { &other };
        server.put("ann", "perf", bytes)
    });
    for answer in join_all(puts).await {
        assert_eq!(answer.status(), 201);
    }
    until("a clearing meanwhile", || async { said(&one, "\"collected\"") || said(&other, "\"collected\"") })
        .await;
    is_over.store(true, Ordering::Relaxed);
    laying.await.unwrap();
    // No record is a day old when a clearing has read the log before it was written there: so none goes on meanwhile.
    one.stop().await;
    other.stop().await;
    for path in inside(&beside) {
        // What a server was deleting when it ended goes, and nothing else.
        age(&path).or_else(|error| is_gone(&error).then_some(()).ok_or(error)).unwrap();
    }
    // Only those that the log names are left, though all of them are old.
    let last = server(folder.path()).await;
    until("the last clearing", || async { inside(&beside).len() == all.len() + 1 }).await;
    for bytes in &all {
        let back = last.record("ann", "perf", Digest::of(bytes)).await;
        assert_eq!(back.bytes().await.unwrap(), bytes.as_slice());
    }
    last.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_hole_in_the_log_nothing_is_cleared_away() {
    let folder = tempfile::tempdir().unwrap();
    let first = Server::start(folder.path()).await;
    for number in 1..=3 {
        assert_eq!(first.put("ann", "me", &note(number, "kept")).await.status(), 201);
    }
    first.stop().await;
    let beside = place_of_records(folder.path());
    inside(&beside).iter().for_each(|path| age(path).unwrap());
    let second = files(folder.path()).into_keys().find(|path| path.ends_with("/log/0000000000000002"));
    std::fs::remove_file(second.unwrap()).unwrap();
    let server = server(folder.path()).await;
    until("what is said of the hole", || async { said(&server, "the log of a space has a hole") }).await;
    assert_eq!(inside(&beside).len(), 3);
    server.stop().await;
}
