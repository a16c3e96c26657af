//! Histories that exchange records: in whatever order they come, however often, all show the same.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use meshbench::model::digest::Digest;
use meshbench::model::metrics::RunMetrics;
use meshbench::model::record::Record;
use meshbench::model::run::RunEdit;
use meshbench::model::sync::{Author, Choice};
use meshbench::model::{Plan, RunId, RunSummary};
use meshbench::store::{Arrivals, Arrived, HELD_DAYS, Page, Store};
use uuid::Uuid;

use super::golden::metrics;
use super::{Draw, id, now, open, run};

const TARGET: Uuid = Uuid::from_u128(77 << 100);

/// What a server keeps of a space.
#[derive(Default)]
struct Space(Vec<(Digest, Vec<u8>, &'static str)>);

impl Space {
    fn take(&mut self, digest: Digest, bytes: Vec<u8>, author: &'static str) {
        if !self.0.iter().any(|(known, ..)| *known == digest) {
            self.0.push((digest, bytes, author));
        }
    }
}

fn send(store: &Store, space: &mut Space, me: &'static str, choice: &Choice) -> usize {
    let mut sent = 0;
    loop {
        let waiting = store.waiting(TARGET, choice).unwrap();
        if waiting.is_empty() {
            return sent;
        }
        for waiting in waiting {
            let bytes = store.record(waiting.digest).unwrap().expect("what waits is here");
            assert_eq!(Digest::of(&bytes), waiting.digest);
            space.take(waiting.digest, bytes, me);
            store.confirm(TARGET, &[waiting.digest]).unwrap();
            sent += 1;
        }
    }
}

/// Takes in everything of the space, in an order and in parts that are drawn.
fn receive(store: &Store, space: &Space, me: &str, draw: &mut Draw) -> Vec<Arrivals> {
    let mut order: Vec<usize> = (0..space.0.len()).collect();
    for at in (1..order.len()).rev() {
        order.swap(at, draw.below(at as u64 + 1) as usize);
    }
    let mut told = Vec::new();
    for part in order.chunks(1 + draw.below(7) as usize) {
        let digests: Vec<Digest> = part.iter().map(|at| space.0[*at].0).collect();
        let unknown = store.unknown(&digests).unwrap();
        let arrived = part.iter().map(|at| &space.0[*at]).filter(|(digest, ..)| unknown.contains(digest));
        let arrived = arrived.map(|(digest, bytes, author)| Arrived {
            digest: *digest,
            bytes: bytes.clone(),
            record: Record::read(bytes, now() + SignedDuration::from_hours(1)).unwrap(),
            author: (*author != me)
                .then(|| Author { subject: (*author).to_owned(), name: author.to_uppercase() }),
        });
        let page = Page { arrived: arrived.collect(), there: digests, ..Page::default() };
        told.push(store.take_in(TARGET, &page, now()).unwrap());
    }
    told
}

fn shown(store: &Store) -> (Vec<RunSummary>, BTreeMap<Uuid, Plan>) {
    (store.summaries().unwrap(), store.plans().unwrap())
}

/// Something that a person does.
fn act(store: &Store, draw: &mut Draw, at: Timestamp) {
    let one = id(draw.below(12));
    match draw.below(8) {
        0 | 1 => drop(store.save_run(&run(draw.below(12))).unwrap()),
        2 => drop(store.edit_run(one, RunEdit::Name(format!("name {}", draw.below(99))), at)),
        3 => drop(store.edit_run(one, RunEdit::Note(format!("note {}", draw.below(99))), at)),
        4 => drop(store.delete_runs(&[one], at).unwrap()),
        5 => drop(store.restore_runs(&[one], at).unwrap()),
        6 => {
            let plan = Plan::for_url(&format!("https://shop.test/{}", draw.below(99)));
            store.save_plan(Uuid::from_u128(u128::from(draw.below(3)) << 100), &plan, at).unwrap();
        }
        _ => drop(store.delete_plan(Uuid::from_u128(u128::from(draw.below(3)) << 100), at).unwrap()),
    }
}

#[test]
fn whatever_three_machines_do_they_show_the_same_in_the_end() {
    let mut draw = Draw::from_environment(11);
    for round in 0..20 {
        let stores = [Store::in_memory(), Store::in_memory(), Store::in_memory()];
        let mut space = Space::default();
        for step in 0..60 {
            let store = &stores[draw.below(3) as usize];
            match draw.below(5) {
                0 => drop(send(store, &mut space, "ann", &Choice::Everything)),
                1 => drop(receive(store, &space, "ann", &mut draw)),
                // Clocks go wrong by up to a minute.
                _ => {
                    act(store, &mut draw, now() + SignedDuration::from_millis(step * 10 + step % 3 * 30_000))
                }
            }
        }
        // One that deleted a run which another has too says so once it has heard of that.
        for _ in 0..4 {
            for store in &stores {
                send(store, &mut space, "ann", &Choice::Everything);
                receive(store, &space, "ann", &mut draw);
            }
        }
        let all: Vec<_> = stores.iter().map(shown).collect();
        assert_eq!(all[0], all[1], "round {round}");
        assert_eq!(all[0], all[2], "round {round}");
        for summary in &all[0].0 {
            assert_eq!(&stores[0].run(summary.id).unwrap().unwrap().summary(), summary, "round {round}");
        }
    }
}

#[test]
fn nothing_waits_for_ever_and_nothing_goes_twice() {
    let (store, mut space) = (Store::in_memory(), Space::default());
    store.begin_target(TARGET, Uuid::from_u128(2 << 100), None).unwrap();
    store.save_runs(&[run(1), run(2)]).unwrap();
    store.edit_run(id(1), RunEdit::Note("a".to_owned()), now()).unwrap();
    store.delete_runs(&[id(2)], now()).unwrap();
    // The deleted run never left, so nobody need hear of it.
    assert_eq!(send(&store, &mut space, "ann", &Choice::Everything), 2);
    assert_eq!(send(&store, &mut space, "ann", &Choice::Everything), 0);
    assert_eq!(store.shared_runs(TARGET).unwrap(), BTreeSet::from([id(1)]));
    store.delete_runs(&[id(1)], now()).unwrap();
    assert_eq!(send(&store, &mut space, "ann", &Choice::Everything), 1);
    assert_eq!(store.empty_trash(now()).unwrap(), 2);
    // Deleted for good: it does not come back from the server, and nothing of it is left to send.
    let unknown = store.unknown(&space.0.iter().map(|(digest, ..)| *digest).collect::<Vec<_>>()).unwrap();
    assert_eq!(unknown, BTreeSet::new());
    store.begin_target(TARGET, Uuid::from_u128(1 << 100), None).unwrap();
    assert_eq!(store.waiting(TARGET, &Choice::Everything).unwrap(), []);
}

#[test]
fn what_was_chosen_is_all_that_goes() {
    let store = Store::in_memory();
    store.save_runs(&[run(1), run(2), run(3)]).unwrap();
    store.save_plan(Uuid::from_u128(1 << 100), &Plan::for_url("https://shop.test/"), now()).unwrap();
    let goes = |choice: &Choice| -> Vec<Uuid> {
        store.waiting(TARGET, choice).unwrap().iter().map(|waiting| waiting.subject).collect()
    };
    assert_eq!(goes(&Choice::Everything).len(), 4);
    assert_eq!(goes(&Choice::Since(run(2).started)), [id(2).0, id(3).0, Uuid::from_u128(1 << 100)]);
    let labels = [("mesh".to_owned(), "mesh 2".to_owned())].into();
    assert_eq!(goes(&Choice::Labelled(labels)), [id(2).0]);
}

#[test]
fn what_was_deleted_elsewhere_can_be_taken_back_for_a_month() {
    let (here, there) = (tempfile::tempdir().unwrap(), Store::in_memory());
    let (store, _) = open(here.path());
    let (mut space, mut draw) = (Space::default(), Draw(5));
    store.save_run(&run(1)).unwrap();
    send(&store, &mut space, "ann", &Choice::Everything);
    receive(&there, &space, "ann", &mut draw);
    there.delete_runs(&[id(1)], now()).unwrap();
    send(&there, &mut space, "ann", &Choice::Everything);
    let told = receive(&store, &space, "ann", &mut draw);
    let deleted: Vec<RunId> = told.iter().flat_map(|told| &told.deleted).map(|run| run.id).collect();
    assert_eq!((deleted, store.summaries().unwrap()), (vec![id(1)], Vec::new()));
    drop(store);

    let (store, _) = open(here.path());
    assert_eq!(store.trash().unwrap(), [run(1).summary()], "another start does not forget it");
    assert_eq!(store.restore_runs(&[id(1)], now()).unwrap(), [run(1).summary()]);
    assert_eq!(store.trash().unwrap(), []);
    send(&store, &mut space, "ann", &Choice::Everything);
    receive(&there, &space, "ann", &mut draw);
    assert_eq!(there.summaries().unwrap(), [run(1).summary()], "and is back there too");
    there.delete_runs(&[id(1)], now() + SignedDuration::from_secs(1)).unwrap();
    send(&there, &mut space, "ann", &Choice::Everything);
    receive(&store, &space, "ann", &mut draw);
    assert_eq!(store.empty_trash(now() + SignedDuration::from_hours(24 * HELD_DAYS - 1)).unwrap(), 0);
    assert_eq!(store.empty_trash(now() + SignedDuration::from_hours(24 * HELD_DAYS)).unwrap(), 1);
}

#[test]
fn only_its_author_changes_or_deletes_a_run_for_others() {
    let (ann, bob, carl) = (Store::in_memory(), Store::in_memory(), Store::in_memory());
    let (mut space, mut draw) = (Space::default(), Draw(7));
    ann.save_run(&run(1)).unwrap();
    send(&ann, &mut space, "ann", &Choice::Everything);
    receive(&bob, &space, "bob", &mut draw);
    assert_eq!(bob.authors().unwrap()[&id(1)].name, "ANN");
    // What bob writes about it stays with him.
    bob.edit_run(id(1), RunEdit::Note("bob's".to_owned()), now()).unwrap();
    bob.delete_runs(&[id(1)], now()).unwrap();
    assert_eq!(send(&bob, &mut space, "bob", &Choice::Everything), 0);
    // Even if it is sent all the same, it counts for nobody else.
    let forged = Record::Tombstone(meshbench::model::record::Tombstone {
        version: 1,
        run: id(1),
        stamp: meshbench::model::record::Stamp { time_us: 9, device: Uuid::from_u128(5 << 100) },
        is_deleted: true,
    });
    let bytes = forged.seal().unwrap();
    space.take(Digest::of(&bytes), bytes, "bob");
    for (store, me) in [(&ann, "ann"), (&carl, "carl")] {
        receive(store, &space, me, &mut draw);
        assert_eq!(store.summaries().unwrap(), [run(1).summary()], "{me}");
    }
    ann.edit_run(id(1), RunEdit::Note("ann's".to_owned()), now()).unwrap();
    send(&ann, &mut space, "ann", &Choice::Everything);
    receive(&carl, &space, "carl", &mut draw);
    assert_eq!(carl.summaries().unwrap()[0].note, "ann's");
    assert_eq!(bob.summaries().unwrap(), []);
}

#[test]
fn the_whole_run_counts_more_than_what_was_saved_of_it_when_the_program_ended() {
    let (one, two) = (Store::in_memory(), Store::in_memory());
    let (mut space, mut draw) = (Space::default(), Draw(9));
    let mut early = run(1);
    early.interrupted = true;
    early.requests.due = 1;
    one.save_run(&early).unwrap();
    send(&one, &mut space, "ann", &Choice::Everything);
    two.save_run(&run(1)).unwrap();
    send(&two, &mut space, "ann", &Choice::Everything);
    for _ in 0..2 {
        for store in [&one, &two] {
            receive(store, &space, "ann", &mut draw);
            send(store, &mut space, "ann", &Choice::Everything);
        }
    }
    for store in [one, two] {
        assert_eq!(store.run(id(1)).unwrap(), Some(run(1)));
        assert_eq!(store.waiting(TARGET, &Choice::Everything).unwrap(), []);
    }
}

#[test]
fn a_history_from_before_there_were_records_goes_up_whole() {
    let dir = tempfile::tempdir().unwrap();
    let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/store/schema-1.redb");
    std::fs::copy(from, dir.path().join(meshbench::store::FILE)).unwrap();
    let (old, _) = open(dir.path());
    let (mut space, fresh) = (Space::default(), Store::in_memory());
    send(&old, &mut space, "ann", &Choice::Everything);
    receive(&fresh, &space, "ann", &mut Draw(3));
    assert_eq!(shown(&fresh), shown(&old));
    assert_eq!(fresh.run(id(2)).unwrap().unwrap().note, "a note");
}

/// In whatever order it comes, what metrics showed over a run is there with it, and the last that was taken counts.
#[test]
fn metrics_of_a_run_travel_with_it_and_those_of_somebody_else_are_not_mixed_in() {
    let mut draw = Draw::from_environment(5);
    let (ann, tablet, bob) = (Store::in_memory(), Store::in_memory(), Store::in_memory());
    let mut space = Space::default();
    ann.save_run(&run(1)).unwrap();
    let kept = ann.keep_metrics(&metrics(1)).unwrap();
    assert_eq!(kept.metrics.as_deref(), Some(&metrics(1)));
    let later = RunMetrics { taken: now() + SignedDuration::from_secs(60), costs: Vec::new(), ..metrics(1) };
    ann.keep_metrics(&later).unwrap();
    send(&ann, &mut space, "ann", &Choice::Everything);
    // The run, and what was kept of metrics with it, twice.
    assert_eq!(space.0.len(), 3);
    for (store, me) in [(&tablet, "ann"), (&bob, "bob")] {
        receive(store, &space, me, &mut draw);
        assert_eq!(store.run(id(1)).unwrap().unwrap().metrics.as_deref(), Some(&later), "{me}");
    }
    // Who did not measure a run says nothing of it for others.
    let other = RunMetrics { taken: now() + SignedDuration::from_secs(120), ..metrics(1) };
    bob.keep_metrics(&other).unwrap();
    assert_eq!(bob.run(id(1)).unwrap().unwrap().metrics.as_deref(), Some(&later));
    // A word about the run takes nothing of it away.
    let noted = ann.edit_run(id(1), RunEdit::Note("slow".to_owned()), now()).unwrap();
    assert_eq!((noted.note.as_str(), noted.metrics.as_deref()), ("slow", Some(&later)));
    assert!(ann.keep_metrics(&metrics(2)).is_err(), "there is no such run");
}
