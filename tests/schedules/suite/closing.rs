//! The end, from several sides at once.

use ws_session::{Cause, CloseCode};

use crate::explore::explore;
use crate::peer::{CLOSE, Frame, text, texts};
use crate::setup::{Endpoint, Setup, receive_all};
use crate::tasks::{Gate, join_all, spawn};

#[test]
fn every_task_that_waits_for_the_end_learns_of_it() {
    explore(|| {
        let (Endpoint { socket, driver, .. }, mut peer, _) = Setup::new().with_peer();
        let driver = spawn(driver);
        let waiting = [socket.sender(), socket.sender()].map(|sender| spawn(async move { sender.closed().await }));
        let handle = spawn(async move { socket.closed().await });
        let peer = spawn(async move { peer.close().await });
        let expected = handle.join();
        assert!(expected.is_normal());
        for waiting in waiting {
            assert_eq!(waiting.join(), expected);
        }
        driver.join();
        peer.join();
    });
}

#[test]
fn both_sides_close_at_once() {
    explore(|| {
        let (server, client, _) = Setup::new().pair();
        let drivers = [spawn(server.driver), spawn(client.driver)];
        let closing = [(server.socket, "server"), (client.socket, "client")]
            .map(|(socket, reason)| spawn(async move { socket.close(CloseCode::NORMAL, reason).await.unwrap() }));
        let [server, client] = closing.map(|closing| closing.join());
        assert_eq!((&server.sent, &server.received), (&client.received, &client.sent));
        join_all(drivers);
    });
}

#[test]
fn the_first_of_several_closes_counts() {
    explore(|| {
        let (Endpoint { socket, driver, .. }, mut peer, _) = Setup::new().with_peer();
        let driver = spawn(driver);
        let peer = spawn(async move { peer.finish().await });
        let closing = [4000, 4001, 4002].map(|code| {
            let sender = socket.sender();
            spawn(async move { sender.close(CloseCode::from(code), "").await.unwrap() })
        });
        let outcomes = closing.map(|closing| closing.join());
        assert!(
            outcomes.iter().all(|outcome| outcome.sent == outcomes[0].sent && outcome.received == outcomes[0].sent)
        );
        driver.join();
        assert_eq!(peer.join().len(), 1);
    });
}

#[test]
fn messages_sent_before_a_close_arrive() {
    explore(|| {
        let setup = Setup::new().narrow().link(|link| link.capacity = 12);
        let (Endpoint { socket, driver, .. }, mut peer, _) = setup.with_peer();
        let driver = spawn(driver);
        let peer = spawn(async move { peer.finish().await });
        let senders = [socket.sender(), socket.sender()].map(|sender| {
            spawn(async move {
                let mut taken = 0;
                while taken < 3 && sender.send("filling").await.is_ok() {
                    taken += 1;
                }
                taken
            })
        });
        let closing = spawn(async move { socket.close(CloseCode::NORMAL, "").await.unwrap() });
        closing.join();
        let taken: usize = senders.map(|sender| sender.join()).into_iter().sum();
        driver.join();
        let frames = peer.join();
        assert_eq!(texts(&frames).len(), taken);
        assert_eq!(frames.len(), taken + 1, "{frames:?}");
    });
}

#[test]
fn a_close_meets_the_peers_close_and_its_messages() {
    explore(|| {
        let (Endpoint { mut socket, driver, .. }, mut peer, _) = Setup::new().with_peer();
        let driver = spawn(driver);
        let sender = socket.sender();
        let closing = spawn(async move { sender.close(CloseCode::NORMAL, "").await.unwrap() });
        let receiver = spawn(async move { receive_all(&mut socket).await });
        let peer = spawn(async move {
            peer.put([text("0"), text("1")].concat()).await;
            peer.close().await
        });
        assert!(closing.join().is_normal());
        // All had been sent before the peer knew.
        assert_eq!(receiver.join(), (["0", "1"].map(String::from).into(), true));
        driver.join();
        assert_eq!(peer.join().len(), 1);
    });
}

#[test]
fn letting_go_of_the_handle_meets_the_peers_close() {
    explore(|| {
        let (Endpoint { socket, driver, .. }, mut peer, _) = Setup::new().with_peer();
        let driver = spawn(driver);
        let sender = socket.sender();
        let waiting = spawn(async move { sender.closed().await });
        let letting_go = spawn(async move { drop(socket) });
        let peer = spawn(async move {
            peer.put(text("0")).await;
            peer.close().await
        });
        assert!(waiting.join().is_clean());
        letting_go.join();
        driver.join();
        assert!(matches!(peer.join()[..], [Frame(CLOSE, _)]));
    });
}

#[test]
fn letting_go_of_all_handles_ends_the_connection() {
    explore(|| {
        let (server, client, _) = Setup::new().pair();
        let drivers = [spawn(server.driver), spawn(client.driver)];
        let mut letting_go = Vec::new();
        for socket in [server.socket, client.socket] {
            let sender = socket.sender();
            letting_go.push(spawn(async move { drop(sender.clone()) }));
            letting_go.push(spawn(async move { drop(socket) }));
        }
        join_all(letting_go);
        join_all(drivers);
    });
}

#[test]
fn a_close_meets_letting_go_of_the_handle() {
    explore(|| {
        let (Endpoint { socket, driver, .. }, mut peer, _) = Setup::new().with_peer();
        let driver = spawn(driver);
        let peer = spawn(async move { peer.finish().await });
        let sender = socket.sender();
        let closing = spawn(async move { sender.close(CloseCode::from(4000), "").await.unwrap() });
        let letting_go = spawn(async move { drop(socket) });
        let sent = closing.join().sent.unwrap();
        assert!([CloseCode::from(4000), CloseCode::GOING_AWAY].contains(&sent.code));
        letting_go.join();
        driver.join();
        assert_eq!(peer.join().len(), 1);
    });
}

#[test]
fn everybody_learns_that_the_driver_is_gone() {
    explore(|| {
        let setup = Setup::new().narrow().link(|link| link.capacity = 4);
        let (Endpoint { mut socket, driver, .. }, peer, _) = setup.with_peer();
        let gate = Gate::default();
        let driver = spawn(gate.clone().run_until_open(driver));
        let opening = spawn(async move { gate.open() });
        let [sending, flushing, pinging, closed] = [(); 4].map(|()| socket.sender());
        let sending = spawn(async move { while sending.send("filling").await.is_ok() {} });
        let flushing = spawn(async move { flushing.try_send("more").is_ok() && flushing.flush().await.is_ok() });
        let pinging = spawn(async move { pinging.ping().await.is_ok() });
        let closed = spawn(async move { closed.closed().await });
        let receiver = spawn(async move { receive_all(&mut socket).await });
        opening.join();
        driver.join();
        sending.join();
        flushing.join();
        assert!(!pinging.join());
        assert_eq!(closed.join().cause, Cause::Aborted);
        assert_eq!(receiver.join(), (Vec::new(), false));
        drop(peer);
    });
}

#[test]
fn everybody_learns_that_the_peer_is_gone() {
    explore(|| {
        let setup = Setup::new().narrow().link(|link| link.capacity = 4);
        let (Endpoint { mut socket, driver, .. }, peer, _) = setup.with_peer();
        let driver = spawn(driver);
        let [sending, pinging, closing] = [(); 3].map(|()| socket.sender());
        let sending = spawn(async move { while sending.send("filling").await.is_ok() {} });
        let pinging = spawn(async move { pinging.ping().await.is_ok() });
        let peer = spawn(async move { drop(peer) });
        let receiver = spawn(async move { receive_all(&mut socket).await });
        sending.join();
        assert!(!pinging.join());
        let closing = spawn(async move { closing.close(CloseCode::NORMAL, "").await.is_ok() });
        assert!(!closing.join());
        assert_eq!(receiver.join(), (Vec::new(), false));
        driver.join();
        peer.join();
    });
}

#[test]
fn a_close_frees_a_sender_that_waits_for_room_in_vain() {
    explore(|| {
        let setup = Setup::new().narrow().link(|link| link.capacity = 4);
        let (Endpoint { socket, driver, .. }, mut peer, _) = setup.with_peer();
        let driver = spawn(driver);
        let senders = [socket.sender(), socket.sender()]
            .map(|sender| spawn(async move { while sender.send("filling").await.is_ok() {} }));
        let closing = spawn(async move { socket.close(CloseCode::NORMAL, "").await.unwrap() });
        join_all(senders);
        // Only now does the peer read.
        spawn(async move { peer.finish().await }).join();
        closing.join();
        driver.join();
    });
}
