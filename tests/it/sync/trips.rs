//! What one machine has, the others have.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use meshbench::app::exchange::ExchangeError;
use meshbench::model::record::Record;
use meshbench::model::run::RunEdit;
use meshbench::model::sync::Choice;
use meshbench::model::{Header, Plan};
use meshbench::store::Store;
use meshbench::sync::client::{Client, ClientError, Tokens, Which};
use meshbench::sync::words::PERSONAL;
use uuid::Uuid;

use super::parts::{Machine, Running, in_time, limits, now, tokens};
use crate::store::{id, run};

#[tokio::test(flavor = "multi_thread")]
async fn all_machines_of_a_person_show_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path(), limits()).await;
    let (desk, laptop) = (Machine::alone("ann", server.address), Machine::alone("ann", server.address));
    desk.store.save_runs(&[run(1), run(2)]).unwrap();
    laptop.store.save_run(&run(3)).unwrap();
    laptop.store.save_plan(Uuid::from_u128(1 << 100), &Plan::for_url("https://shop.test/"), now()).unwrap();
    in_time(async {
        assert_eq!(desk.sync().await.unwrap().sent, 2);
        let brought = laptop.sync().await.unwrap();
        assert_eq!((brought.sent, brought.received, brought.name.as_str()), (2, 2, "ANN"));
        laptop.store.edit_run(id(1), RunEdit::Note("from the laptop".to_owned()), now()).unwrap();
        laptop.store.delete_runs(&[id(2)], now()).unwrap();
        laptop.sync().await.unwrap();
        desk.sync().await.unwrap();
    })
    .await;
    assert_eq!(desk.shown(), laptop.shown());
    assert_eq!(desk.store.run(id(1)).unwrap().unwrap().note, "from the laptop");
    assert_eq!(desk.store.summaries().unwrap().len(), 2);
    for machine in [&desk, &laptop] {
        assert_eq!(machine.waiting(), 0);
        assert_eq!(machine.store.shared_runs(machine.target.id).unwrap().len(), 3, "with the deleted one");
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_sees_who_measured_what_and_others_see_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path(), limits()).await;
    let ann = Machine::new("ann", server.address, "shop");
    let bob = Machine::new("bob", server.address, "shop");
    let carl = Machine::new("carl", server.address, "shop");
    ann.store.save_run(&run(1)).unwrap();
    ann.sync().await.unwrap();
    bob.sync().await.unwrap();
    assert_eq!(bob.store.authors().unwrap()[&id(1)].name, "ANN");
    assert!(ann.store.authors().unwrap().is_empty());
    let refused = carl.sync().await.unwrap_err();
    assert!(matches!(&refused, ExchangeError::NoSpace(space) if space == "shop"), "{refused}");
    assert!(refused.to_string().contains("choose another"));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_wiped_or_put_back_gets_everything_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path(), limits()).await;
    let address = server.address;
    let (desk, laptop) = (Machine::alone("ann", address), Machine::alone("ann", address));
    desk.store.save_runs(&[run(1), run(2)]).unwrap();
    desk.sync().await.unwrap();
    server.end().await;
    let copy = tempfile::tempdir().unwrap();
    copy_folder(folder.path(), copy.path());

    let server = Running::on(store(folder.path()), limits(), address).await;
    desk.store.save_run(&run(3)).unwrap();
    desk.sync().await.unwrap();
    laptop.sync().await.unwrap();
    server.end().await;

    // Put back, it has the same epoch; before anybody notices, its log goes another way.
    let server = Running::on(store(copy.path()), limits(), address).await;
    let other = Machine::alone("ann", address);
    other.store.save_runs(&[run(7), run(8)]).unwrap();
    in_time(async {
        other.sync().await.unwrap();
        for machine in [&desk, &laptop, &other] {
            machine.sync().await.unwrap();
        }
        for machine in [&desk, &laptop, &other] {
            machine.sync().await.unwrap();
        }
    })
    .await;
    assert_eq!(desk.store.summaries().unwrap().len(), 5);
    assert_eq!(desk.shown(), laptop.shown());
    assert_eq!(desk.shown(), other.shown());
    server.end().await;

    let empty = tempfile::tempdir().unwrap();
    let server = Running::on(store(empty.path()), limits(), address).await;
    assert_eq!(desk.sync().await.unwrap().sent, 5);
    assert_eq!(laptop.sync().await.unwrap().sent, 0, "it asks first what is there");
    server.end().await;
}

fn store(folder: &std::path::Path) -> Arc<dyn object_store::ObjectStore> {
    meshbench::sync::server::open_store(folder.to_str().unwrap()).unwrap()
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&place).unwrap();
            copy_folder(&entry.path(), &place);
        } else {
            std::fs::copy(entry.path(), place).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_of_a_machine_and_a_restored_backup_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path(), limits()).await;
    let (home, copied) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let open = |dir: &std::path::Path| Store::open(dir, now(), &mut |_| {}).unwrap().0;
    let with = |store: Store| Machine::with(store, "ann", server.address, PERSONAL);
    let desk = with(open(home.path()));
    desk.store.save_run(&run(1)).unwrap();
    desk.sync().await.unwrap();
    desk.close().await;
    copy_folder(home.path(), copied.path());

    let (desk, clone) = (with(open(home.path())), with(open(copied.path())));
    let at = now();
    desk.store.edit_run(id(1), RunEdit::Note("desk".to_owned()), at).unwrap();
    clone.store.edit_run(id(1), RunEdit::Note("clone".to_owned()), at).unwrap();
    clone.store.save_run(&run(2)).unwrap();
    for machine in [&desk, &clone, &desk, &clone] {
        machine.sync().await.unwrap();
    }
    assert_eq!(desk.shown(), clone.shown());
    assert_eq!(desk.store.summaries().unwrap().len(), 2);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_runs_out_is_renewed_once_and_one_that_cannot_be_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path(), limits()).await;
    let desk = Machine::alone("ann", server.address);
    desk.store.save_run(&run(1)).unwrap();
    let fresh = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&fresh);
    let stale: Tokens = Arc::new(move |which| {
        let asked = Arc::clone(&asked);
        Box::pin(async move {
            if which == Which::Fresh {
                asked.fetch_add(1, Ordering::Relaxed);
                return Ok("ann".to_owned());
            }
            Ok("stale".to_owned())
        })
    });
    assert_eq!(desk.sync_with(stale).await.unwrap().sent, 1);
    assert!(fresh.load(Ordering::Relaxed) >= 1);
    let never: Tokens = Arc::new(|_| Box::pin(async { Ok("stale".to_owned()) }));
    let refused = desk.sync_with(never).await.unwrap_err();
    assert!(matches!(refused, ExchangeError::Server(ClientError::LoggedOut(_))), "{refused}");
    let dark: Tokens = Arc::new(|_| Box::pin(async { Ok("dark".to_owned()) }));
    let later = desk.sync_with(dark).await.unwrap_err();
    assert!(later.may_pass() && later.retry_after().is_some(), "{later}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_will_not_take_waits_for_a_person_and_holds_up_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let small = Record::Run(Box::new(run(1))).seal().unwrap().len() as u64;
    let mut limits = limits();
    limits.record_bytes = small + 50;
    let server = Running::start(folder.path(), limits).await;
    let desk = Machine::alone("ann", server.address);
    let mut large = run(2);
    large.note = (0..2000).map(|at| format!("{:x}", at * 7919)).collect();
    desk.store.save_runs(&[run(1), large]).unwrap();
    let done = desk.sync().await.unwrap();
    assert_eq!((done.sent, done.refused), (1, 1));
    let (_, refusal) = desk.store.refused(desk.target.id).unwrap().remove(0);
    assert!(refusal.reason.contains("at most") && refusal.is_up, "{}", refusal.reason);
    assert_eq!(refusal.subject, Some(id(2).0));
    assert_eq!(desk.waiting(), 0);
    desk.store.forgive(desk.target.id).unwrap();
    assert_eq!(desk.waiting(), 1);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_never_leave_the_machine() {
    const CANARY: &str = "CANARY-7f3a";
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path(), limits()).await;
    let (desk, laptop) = (Machine::alone("ann", server.address), Machine::alone("ann", server.address));
    let mut plan = Plan::for_url(&format!("https://ann:{CANARY}@shop.test/"));
    let header = Header { name: "X-Key".to_owned(), value: CANARY.to_owned(), secret: true };
    plan.request.headers.push(header);
    desk.store.save_plan(Uuid::from_u128(1 << 100), &plan, now()).unwrap();
    let mut measured = run(1);
    measured.plan = plan.redacted();
    desk.store.save_run(&measured).unwrap();
    desk.sync().await.unwrap();
    laptop.sync().await.unwrap();
    assert_eq!(laptop.store.plans().unwrap().len(), 1);
    // A change there keeps the secret here.
    let mut renamed = laptop.store.plans().unwrap().remove(&Uuid::from_u128(1 << 100)).unwrap();
    renamed.name = "Renamed".to_owned();
    laptop.store.save_plan(Uuid::from_u128(1 << 100), &renamed, now()).unwrap();
    laptop.sync().await.unwrap();
    desk.sync().await.unwrap();
    let kept = desk.store.plans().unwrap().remove(&Uuid::from_u128(1 << 100)).unwrap();
    assert_eq!((kept.name.as_str(), kept.request.headers[0].value.as_str()), ("Renamed", CANARY));
    let log = server.log.lock().unwrap().join("\n");
    assert!(!log.contains(CANARY) && !log.contains("sub-ann") && !log.contains("Bearer"), "{log}");
    assert!(log.contains("/v1/spaces/"), "{log}");
    server.end().await;
    let mut files = vec![folder.path().to_owned()];
    let mut read = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let plain = match Record::read(&bytes, now()) {
            Ok(record) => format!("{record:?}"),
            Err(_) => String::from_utf8_lossy(&bytes).into_owned(),
        };
        assert!(!plain.contains(CANARY), "{}", path.display());
        read += 1;
    }
    assert!(read > 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_was_chosen_goes_up_and_all_comes_down() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path(), limits()).await;
    let (mut desk, laptop) = (Machine::alone("ann", server.address), Machine::alone("ann", server.address));
    desk.store.save_runs(&[run(1), run(2), run(3)]).unwrap();
    desk.target.choice = Choice::Labelled([("mesh".to_owned(), "mesh 2".to_owned())].into());
    laptop.store.save_run(&run(4)).unwrap();
    laptop.sync().await.unwrap();
    assert_eq!(desk.sync().await.unwrap().sent, 1);
    laptop.sync().await.unwrap();
    let ids: Vec<_> = laptop.store.summaries().unwrap().iter().map(|run| run.id).collect();
    assert_eq!(ids, [id(4), id(2)]);
    assert_eq!(desk.store.summaries().unwrap().len(), 4);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_of_a_deleted_account_sends_nothing_again_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path(), limits()).await;
    let (desk, laptop) = (Machine::alone("ann", server.address), Machine::alone("ann", server.address));
    let team = Machine::new("ann", server.address, "shop");
    let other = Machine::alone("bob", server.address);
    let records = || {
        let spaces = std::fs::read_dir(folder.path().join("spaces")).unwrap();
        let records =
            spaces.filter_map(|space| std::fs::read_dir(space.unwrap().path().join("records")).ok());
        records.map(Iterator::count).sum::<usize>()
    };
    for (machine, number) in [(&desk, 1), (&laptop, 2), (&team, 3), (&other, 4)] {
        machine.store.save_run(&run(number)).unwrap();
        machine.sync().await.unwrap();
    }
    assert_eq!(records(), 4);
    let client = Client::new(&desk.target.server, tokens("ann")).unwrap();
    client.delete_me().await.unwrap();
    assert_eq!(records(), 1);
    for machine in [&desk, &laptop, &team] {
        machine.store.save_run(&run(7)).unwrap();
        let refused = machine.sync().await.unwrap_err();
        assert!(matches!(refused, ExchangeError::Deleted) && !refused.may_pass(), "{refused}");
        assert!(machine.store.run(id(7)).unwrap().is_some());
    }
    assert_eq!((records(), other.sync().await.unwrap().received), (1, 0));
    // Who removes the server and turns on sync again begins anew, and others of theirs follow in the same way.
    for machine in [&desk, &laptop] {
        machine.store.forget_target(machine.target.id).unwrap();
        machine.sync().await.unwrap();
        machine.sync().await.unwrap();
    }
    assert_eq!(laptop.store.summaries().unwrap().len(), 3);
    // Once more: that it had been deleted before is not confused with that.
    client.delete_me().await.unwrap();
    assert!(matches!(desk.sync().await.unwrap_err(), ExchangeError::Deleted));
    server.end().await;
}
