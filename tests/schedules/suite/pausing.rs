//! An inbound queue that is full, and emptied from another thread.

use ws_session::Error;

use crate::explore::explore;
use crate::peer::{ping, text};
use crate::setup::{Endpoint, Setup, receive_all, text_of};
use crate::tasks::{join_all, spawn};

#[test]
fn reading_goes_on_when_there_is_room_again() {
    explore(|| {
        let setup = Setup::new().inbound(2).link(|link| link.capacity = 40);
        let (Endpoint { mut socket, driver, .. }, mut peer, _) = setup.with_peer();
        let driver = spawn(driver);
        let receiver = spawn(async move { receive_all(&mut socket).await });
        let peer = spawn(async move {
            // Some in one read, behind a full queue, and some that have to be read later.
            peer.put(["0", "1", "2", "3", "4"].map(text).concat()).await;
            peer.put([text("5"), ping("last"), text("6")].concat()).await;
            peer.close().await
        });
        assert_eq!(receiver.join(), ((0..7).map(|n| n.to_string()).collect(), true));
        driver.join();
        assert_eq!(peer.join().len(), 2, "a pong and a Close");
    });
}

#[test]
fn a_pong_behind_a_full_queue_comes_when_there_is_room() {
    explore(|| {
        let setup = Setup::new().inbound(1);
        let (mut server, mut client, _) = setup.pair();
        let drivers = [spawn(server.driver), spawn(client.driver)];
        let sending = client.socket.sender();
        let sending = spawn(async move {
            for n in 0..3 {
                sending.send(n.to_string()).await.unwrap();
            }
        });
        let pinging = server.socket.sender();
        let pinging = spawn(async move { pinging.ping().await.unwrap() });
        let receiver = spawn(async move {
            for n in 0..3 {
                assert_eq!(server.socket.recv().await.unwrap(), Some(n.to_string().into()));
            }
            server.socket
        });
        let other = spawn(async move { receive_all(&mut client.socket).await });
        let socket = receiver.join();
        sending.join();
        pinging.join();
        drop(socket);
        assert_eq!(other.join(), (Vec::new(), true));
        join_all(drivers);
    });
}

#[test]
fn a_task_that_waits_for_the_end_does_not_stop_it() {
    explore(|| {
        let setup = Setup::new().inbound(2);
        let (Endpoint { mut socket, driver, .. }, mut peer, _) = setup.with_peer();
        let driver = spawn(driver);
        let peer = spawn(async move {
            peer.put(["0", "1", "2"].map(text).concat()).await;
            peer.put(text("3")).await;
            peer.close().await
        });
        let waiting = spawn(async move {
            let mut received = vec![text_of(&socket.recv().await.unwrap().unwrap())];
            assert!(socket.closed().await.is_normal());
            // As many as the queue holds follow, and none behind a gap.
            let end = loop {
                match socket.recv().await {
                    Ok(Some(message)) => received.push(text_of(&message)),
                    end => break end,
                }
            };
            (received, end)
        });
        let (received, end) = waiting.join();
        let sent = ["0", "1", "2", "3"];
        assert_eq!(received, sent[..received.len()]);
        match end {
            Ok(None) => assert_eq!(received.len(), sent.len()),
            Err(Error::Skipped) => assert!((3..sent.len()).contains(&received.len())),
            _ => panic!("{end:?}"),
        }
        driver.join();
        peer.join();
    });
}

#[test]
fn letting_go_of_a_handle_with_a_full_queue_ends_the_connection() {
    explore(|| {
        let setup = Setup::new().inbound(1);
        let (Endpoint { mut socket, driver, .. }, mut peer, _) = setup.with_peer();
        let driver = spawn(driver);
        let peer = spawn(async move {
            peer.put(["0", "1", "2"].map(text).concat()).await;
            peer.finish().await
        });
        let letting_go = spawn(async move {
            assert_eq!(socket.recv().await.unwrap(), Some("0".into()));
        });
        letting_go.join();
        driver.join();
        assert_eq!(peer.join().len(), 1);
    });
}
