//! A handler in its driver's own task, and senders elsewhere.

use std::sync::Arc;

use shuttle::sync::Mutex;
use ws_session::{Cause, CloseCode};

use crate::explore::explore;
use crate::peer::{CLOSE, Frame, text, texts};
use crate::setup::{Endpoint, Setup, receive_all};
use crate::tasks::{Gate, join_all, spawn};

#[test]
fn messages_of_other_tasks_arrive() {
    explore(|| {
        let setup = Setup::new().narrow().link(|link| link.capacity = 12);
        let (Endpoint { mut socket, driver, outgoing }, mut peer, _) = setup.with_peer();
        let senders = ["a", "b"].map(|name| {
            let (sender, outgoing) = (socket.sender(), outgoing.clone());
            spawn(async move {
                for n in 0..2 {
                    let message = format!("{name}{n} filling");
                    sender.send(message.clone()).await.unwrap();
                    sender.flush().await.unwrap();
                    assert!(outgoing.has_carried(message.as_bytes()), "{message} was flushed");
                }
            })
        });
        let running = spawn(driver.run(async move {
            while let Some(message) = socket.recv().await? {
                socket.send(message).await?;
            }
            Ok(())
        }));
        let peer = spawn(async move {
            peer.put([text("e0"), text("e1")].concat()).await;
            let mut frames = Vec::new();
            for _ in 0..6 {
                frames.push(peer.next().await.unwrap());
            }
            assert_eq!(peer.close().await.len(), 1, "nothing but a Close follows");
            frames
        });
        join_all(senders);
        running.join().unwrap();
        let frames = peer.join();
        let mut received = texts(&frames);
        // Each sender's in order: the sort keeps it.
        received.sort_by_key(|text| text.chars().next());
        assert_eq!(received, ["a0 filling", "a1 filling", "b0 filling", "b1 filling", "e0", "e1"]);
    });
}

#[test]
fn a_handler_ends_while_others_send_and_wait() {
    explore(|| {
        let (Endpoint { mut socket, driver, .. }, mut peer, _) = Setup::new().narrow().with_peer();
        let [sending, pinging, closed] = [(); 3].map(|()| socket.sender());
        let sending = spawn(async move {
            let mut taken = 0;
            while taken < 3 && sending.send("filling").await.is_ok() {
                taken += 1;
            }
            taken
        });
        let pinging = spawn(async move { pinging.ping().await.is_ok() });
        let closed = spawn(async move { closed.closed().await });
        let running = spawn(driver.run(async move {
            socket.recv().await?;
            Ok(())
        }));
        let peer = spawn(async move {
            peer.put(text("0")).await;
            peer.finish().await
        });
        running.join().unwrap();
        assert!(closed.join().is_normal());
        let (taken, _) = (sending.join(), pinging.join());
        assert_eq!(texts(&peer.join()).len(), taken);
    });
}

#[test]
fn a_close_from_elsewhere_reaches_a_handler_that_waits() {
    explore(|| {
        let (Endpoint { mut socket, driver, .. }, mut peer, _) = Setup::new().with_peer();
        let closing = [socket.sender(), socket.sender()]
            .map(|sender| spawn(async move { sender.close(CloseCode::NORMAL, "").await.unwrap() }));
        let received = Arc::<Mutex<_>>::default();
        let receiving = Arc::clone(&received);
        let running = spawn(driver.run(async move {
            *receiving.lock().unwrap() = receive_all(&mut socket).await;
            Ok(())
        }));
        let peer = spawn(async move {
            peer.put(text("0")).await;
            peer.finish().await
        });
        let [first, second] = closing.map(|closing| closing.join());
        assert_eq!(first, second);
        running.join().unwrap();
        assert_eq!(*received.lock().unwrap(), (vec!["0".to_owned()], true));
        assert!(matches!(peer.join()[..], [Frame(CLOSE, _)]));
    });
}

#[test]
fn a_handler_hands_its_handle_to_another_thread() {
    explore(|| {
        let setup = Setup::new().inbound(1);
        let (Endpoint { mut socket, driver, .. }, mut peer, _) = setup.with_peer();
        let receiver = Arc::<Mutex<_>>::default();
        let handing_over = Arc::clone(&receiver);
        let running = spawn(driver.run(async move {
            let sender = socket.sender();
            let given = spawn(async move {
                let received = receive_all(&mut socket).await;
                socket.closed().await;
                received
            });
            *handing_over.lock().unwrap() = Some(given);
            sender.closed().await;
            Ok(())
        }));
        let peer = spawn(async move {
            peer.put(["0", "1", "2"].map(text).concat()).await;
            peer.close().await
        });
        running.join().unwrap();
        let receiver = receiver.lock().unwrap().take().unwrap();
        assert_eq!(receiver.join(), (["0", "1", "2"].map(String::from).into(), true));
        assert_eq!(peer.join().len(), 1);
    });
}

#[test]
fn everybody_learns_that_driver_and_handler_are_gone() {
    explore(|| {
        let setup = Setup::new().narrow().link(|link| link.capacity = 4);
        let (Endpoint { mut socket, driver, .. }, peer, _) = setup.with_peer();
        let [sending, pinging, closed] = [(); 3].map(|()| socket.sender());
        let sending = spawn(async move { while sending.send("filling").await.is_ok() {} });
        let pinging = spawn(async move { pinging.ping().await.is_ok() });
        let closed = spawn(async move { closed.closed().await });
        let running = driver.run(async move {
            receive_all(&mut socket).await;
            Ok(())
        });
        let gate = Gate::default();
        let running = spawn(gate.clone().run_until_open(running));
        let opening = spawn(async move { gate.open() });
        opening.join();
        running.join();
        sending.join();
        assert!(!pinging.join());
        assert_eq!(closed.join().cause, Cause::Aborted);
        drop(peer);
    });
}
