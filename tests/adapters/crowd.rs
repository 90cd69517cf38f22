//! Many connections at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError, mpsc};

use futures_util::future::join_all;

use super::setup::*;

/// Both ends of all connections are in this process, which may be allowed no more than 1,024 descriptors: one crowd at a
/// time.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    CROWD.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn three_hundred_connections_at_once() {
    const PEERS: usize = 300;
    let _alone = alone();
    let server = start(uncompressed(), echo);
    let connecting = (0..PEERS).map(|_| {
        spawn({
            let client = server.client();
            async move { client.connect().await.unwrap() }
        })
    });
    let mut peers = block_on(join_all(connecting));
    assert_eq!(server.handle.connections(), PEERS);
    #[cfg(target_os = "linux")]
    assert!(std::fs::read_dir("/proc/self/fd").unwrap().count() < 1024, "a descriptor for each socket, not more");
    block_on(join_all(peers.iter_mut().enumerate().map(|(n, ws)| async move {
        ws.send(n.to_string()).await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::from(n.to_string())));
    })));
    block_on(join_all(peers.iter().map(|ws| async { ws.close(CloseCode::NORMAL, "").await.unwrap() })));
    until(|| server.handle.connections() == 0);
    server.stop();
}

#[test]
fn a_crowd_is_never_left_waiting() {
    const MESSAGES: usize = 150;
    let _alone = alone();
    let server = start(uncompressed(), echo);
    let peers = (0..32).map(|n| {
        let client = server.client();
        spawn(async move {
            let mut ws = client.connect().await.unwrap();
            let message = move |m: usize| Message::from(vec![m as u8; (n * 7919 + m * 104_729) % 20_000]);
            let (sender, pinger) = (ws.sender(), ws.sender());
            let sending = spawn(async move {
                for m in 0..MESSAGES {
                    sender.send(message(m)).await.unwrap();
                }
            });
            let pinging = spawn(async move {
                for _ in 0..20 {
                    pinger.ping().await.unwrap();
                }
            });
            for m in 0..MESSAGES {
                assert!(ws.recv().await.unwrap() == Some(message(m)));
            }
            futures_util::join!(sending, pinging);
            ws.close(CloseCode::NORMAL, "").await.unwrap();
        })
    });
    block_on(join_all(peers));
    server.stop();
}

#[test]
fn many_at_once_do_not_get_past_the_limit() {
    const MOST: usize = 5;
    let _alone = alone();
    let (tell, told) = mpsc::channel();
    let open = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&open);
    let server = start(uncompressed().max_connections(MOST), move |ws| {
        tell.send(counter.fetch_add(1, Ordering::SeqCst) + 1).unwrap();
        let counter = Arc::clone(&counter);
        async move {
            let ended = drain(ws).await;
            counter.fetch_sub(1, Ordering::SeqCst);
            ended
        }
    });
    for _ in 0..12 {
        let connecting = (0..60).map(|_| spawn(server.client().connect()));
        let connected = block_on(join_all(connecting));
        assert_eq!(connected.iter().filter(|connected| connected.is_ok()).count(), MOST);
        drop(connected);
        until(|| server.handle.connections() == 0);
    }
    server.stop();
    for at_once in told {
        assert!(at_once <= MOST, "{at_once} handlers at once");
    }
    assert_eq!(open.load(Ordering::SeqCst), 0);
}
