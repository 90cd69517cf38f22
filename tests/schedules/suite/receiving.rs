//! `recv` on one thread while the driver feeds on another.

use futures_util::future::poll_immediate;

use crate::explore::explore;
use crate::peer::text;
use crate::setup::{Endpoint, Setup, receive_all, text_of};
use crate::tasks::{join_all, spawn};

#[test]
fn every_message_comes_once_and_in_order() {
    explore(|| {
        let setup = Setup::new().link(|link| link.portions = true);
        let (Endpoint { mut socket, driver, .. }, mut peer, _) = setup.with_peer();
        let driver = spawn(driver);
        let receiver = spawn(async move { receive_all(&mut socket).await });
        let peer = spawn(async move {
            for message in ["0", "1", "2", "3"] {
                peer.put(text(message)).await;
            }
            peer.close().await
        });
        assert_eq!(receiver.join(), (["0", "1", "2", "3"].map(String::from).into(), true));
        driver.join();
        assert_eq!(peer.join().len(), 1, "nothing but a Close");
    });
}

#[test]
fn a_pair_echoes() {
    explore(|| {
        let (mut server, mut client, _) = Setup::new().pair();
        let drivers = [spawn(server.driver), spawn(client.driver)];
        let echo = spawn(async move {
            while let Some(message) = server.socket.recv().await.unwrap() {
                server.socket.send(message).await.unwrap();
            }
        });
        let sender = client.socket.sender();
        let sending = spawn(async move {
            for message in ["0", "1"] {
                sender.send(message).await.unwrap();
            }
            sender.close(ws_session::CloseCode::NORMAL, "").await.unwrap()
        });
        let receiving = spawn(async move { receive_all(&mut client.socket).await });
        assert_eq!(receiving.join(), (["0", "1"].map(String::from).into(), true));
        assert!(sending.join().is_normal());
        echo.join();
        join_all(drivers);
    });
}

#[test]
fn a_handle_is_woken_on_the_thread_it_was_taken_to() {
    explore(|| {
        let (Endpoint { mut socket, driver, .. }, mut peer, _) = Setup::new().with_peer();
        let driver = spawn(driver);
        let peer = spawn(async move {
            for message in ["0", "1"] {
                peer.put(text(message)).await;
            }
            peer.close().await
        });
        let first = spawn(async move {
            let received = poll_immediate(socket.recv()).await;
            (socket, received)
        });
        let (mut socket, received) = first.join();
        let mut expected = vec!["0".to_owned(), "1".to_owned()];
        if let Some(received) = received {
            assert_eq!(text_of(&received.unwrap().unwrap()), expected.remove(0));
        }
        let second = spawn(async move { receive_all(&mut socket).await });
        assert_eq!(second.join(), (expected, true));
        driver.join();
        peer.join();
    });
}

#[test]
fn messages_before_a_broken_transport_come_first() {
    explore(|| {
        let setup = Setup::new().link(|link| link.capacity = 20);
        let (Endpoint { mut socket, driver, .. }, mut peer, _) = setup.with_peer();
        let sender = socket.sender();
        let driver = spawn(driver);
        let peer = spawn(async move {
            peer.put([text("0"), text("1")].concat()).await;
            // Leaves without a Close.
        });
        let sending = spawn(async move { while sender.send("out").await.is_ok() && sender.flush().await.is_ok() {} });
        let receiver = spawn(async move { receive_all(&mut socket).await });
        assert_eq!(receiver.join(), (["0", "1"].map(String::from).into(), false));
        sending.join();
        driver.join();
        peer.join();
    });
}
