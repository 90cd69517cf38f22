//! `flush` while the driver writes and other threads queue more.

use ws_session::CloseCode;

use crate::explore::explore;
use crate::peer::texts;
use crate::setup::{Endpoint, Setup};
use crate::tasks::{impatient, join_all, spawn};

#[test]
fn flushed_messages_are_out() {
    explore(|| flushed_messages_are_out_of(false));
}

#[test]
fn flushed_messages_are_out_of_a_transport_that_buffers() {
    explore(|| flushed_messages_are_out_of(true));
}

fn flushed_messages_are_out_of(buffered: bool) {
    let setup = Setup::new().link(|link| {
        link.capacity = 12;
        link.portions = true;
        link.buffered = buffered;
    });
    let (Endpoint { socket, driver, outgoing }, mut peer, _) = setup.with_peer();
    let driver = spawn(driver);
    let peer = spawn(async move { peer.finish().await });
    let senders = ["a", "b"].map(|name| {
        let (sender, outgoing) = (socket.sender(), outgoing.clone());
        spawn(async move {
            for n in 0..2 {
                let message = format!("{name}{n} filling");
                sender.try_send(message.clone()).unwrap();
                sender.flush().await.unwrap();
                assert!(outgoing.has_carried(message.as_bytes()), "{message} was flushed");
            }
        })
    });
    join_all(senders);
    spawn(async move { socket.close(CloseCode::NORMAL, "").await.unwrap() }).join();
    driver.join();
    assert_eq!(texts(&peer.join()).len(), 4);
}

#[test]
fn a_flush_ends_with_its_connection() {
    explore(|| {
        let setup = Setup::new().link(|link| link.capacity = 12);
        let (Endpoint { socket, driver, outgoing }, mut peer, _) = setup.with_peer();
        let driver = spawn(driver);
        let flushers = ["a", "b"].map(|name| {
            let (sender, outgoing) = (socket.sender(), outgoing.clone());
            spawn(async move {
                let message = format!("{name} filling");
                if sender.try_send(message.clone()).is_ok() && sender.flush().await.is_ok() {
                    assert!(outgoing.has_carried(message.as_bytes()), "{message} was flushed");
                }
            })
        });
        let peer = spawn(async move {
            // Takes one frame at the most, and leaves.
            impatient(peer.next()).await;
        });
        join_all(flushers);
        peer.join();
        drop(socket);
        driver.join();
    });
}

#[test]
fn there_is_room_before_what_was_written_is_flushed() {
    explore(|| {
        let setup = Setup::new().narrow().link(|link| {
            link.capacity = 12;
            link.buffered = true;
        });
        let (Endpoint { socket, driver, .. }, mut peer, _) = setup.with_peer();
        let driver = spawn(driver);
        let sender = socket.sender();
        let sending = spawn(async move {
            // The link holds one, its buffer another, the queue the third.
            for n in 0..3 {
                sender.send(format!("{n}: filling")).await.unwrap();
            }
        });
        sending.join();
        // Only now does the peer read.
        let peer = spawn(async move { peer.finish().await });
        spawn(async move { socket.close(CloseCode::NORMAL, "").await.unwrap() }).join();
        driver.join();
        assert_eq!(texts(&peer.join()).len(), 3);
    });
}
