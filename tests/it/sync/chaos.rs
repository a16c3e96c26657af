//! Three machines, one server, and everything that goes wrong on the way: in the end all have the same, nothing is lost,
//! nothing is there twice.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::SignedDuration;
use meshbench::model::Plan;
use meshbench::model::run::RunEdit;
use meshbench::sync::server::open_store;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use super::parts::{Machine, Running, in_time, limits, now};
use crate::store::{Draw, id, run};

/// Passes bytes on to a server, and breaks off, stalls or answers in its place as it is drawn.
pub(super) async fn bad_way(server: SocketAddr, seed: u64) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let drawn = Arc::new(AtomicU64::new(seed));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let mut draw = Draw(drawn.fetch_add(0x1234_5678_9abc, Ordering::Relaxed));
            tokio::spawn(async move {
                let fate = draw.below(10);
                let up = if fate == 0 { draw.below(3000) } else { u64::MAX };
                let down = if fate == 1 { draw.below(3000) } else { u64::MAX };
                if fate == 2 {
                    return busy(client).await;
                }
                let Ok(server) = TcpStream::connect(server).await else { return };
                let ((from, mut to), (back, mut here)) = (client.into_split(), server.into_split());
                let (mut from, mut back) = (from.take(up), back.take(down));
                // Whichever way ends first ends both: an answer may be lost after its question was taken.
                tokio::select! {
                    _ = tokio::io::copy(&mut from, &mut here) => {}
                    _ = tokio::io::copy(&mut back, &mut to) => {}
                }
            });
        }
    });
    address
}

async fn busy(mut client: TcpStream) {
    let mut some = [0; 1024];
    let _ = client.read(&mut some).await;
    let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let _ = client.write_all(answer).await;
}

fn act(machine: &Machine, draw: &mut Draw, number: u64) {
    let store = &machine.store;
    let at = now() + SignedDuration::from_millis(i64::try_from(draw.below(60_000)).unwrap());
    let one = id(draw.below(number + 1));
    match draw.below(8) {
        0..=3 => drop(store.save_run(&run(number)).unwrap()),
        4 => drop(store.edit_run(one, RunEdit::Name(format!("name {}", draw.below(99))), at)),
        5 => drop(store.delete_runs(&[one], at).unwrap()),
        6 => drop(store.restore_runs(&[one], at).unwrap()),
        _ => {
            let plan = Plan::for_url(&format!("https://shop.test/{}", draw.below(99)));
            store.save_plan(Uuid::from_u128(u128::from(draw.below(3)) << 100), &plan, at).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_all_have_the_same_in_the_end() {
    let mut draw = Draw::from_environment(4);
    let folder = tempfile::tempdir().unwrap();
    let store = || open_store(folder.path().to_str().unwrap()).unwrap();
    let mut server = Running::start(folder.path(), limits()).await;
    let address = server.address;
    let way = bad_way(address, draw.next()).await;
    let machines = [Machine::alone("ann", way), Machine::alone("ann", way), Machine::alone("ann", way)];
    let (mut made, mut failures) = (0, 0);
    for step in 0..120 {
        let machine = &machines[draw.below(3) as usize];
        match draw.below(6) {
            0 | 1 => {
                // Its program may be ended at any moment.
                let patience = Duration::from_millis(5 + draw.below(150));
                let ended = tokio::time::timeout(patience, machine.sync()).await;
                failures += u32::from(matches!(ended, Ok(Err(_))));
            }
            2 if step % 10 == 0 => {
                server.kill();
                server = Running::on(store(), limits(), address_again(address).await).await;
            }
            _ => {
                act(machine, &mut draw, made);
                made += 1;
            }
        }
    }
    in_time(async {
        for _ in 0..5 {
            for machine in &machines {
                while let Err(error) = machine.sync().await {
                    assert!(error.may_pass(), "{error}");
                    failures += 1;
                }
            }
        }
    })
    .await;
    let shown: Vec<String> = machines.iter().map(Machine::shown).collect();
    assert!(shown[0] == shown[1] && shown[0] == shown[2], "{}\n\n{}\n\n{}", shown[0], shown[1], shown[2]);
    for machine in &machines {
        assert_eq!(machine.waiting(), 0);
        assert_eq!(machine.store.refused(machine.target.id).unwrap(), []);
    }
    println!("{made} changes, {failures} failed exchanges");
    assert!(failures > 0, "the way is good");
    server.end().await;
}

/// The address is free as soon as the server that was killed has let go of it.
pub(super) async fn address_again(address: SocketAddr) -> SocketAddr {
    in_time(async {
        while let Err(error) = TcpListener::bind(address).await {
            assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    address
}
