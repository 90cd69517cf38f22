//! Futures that are dropped before they are ready, at any time.

use ws_session::CloseCode;

use crate::explore::explore;
use crate::peer::{text, texts};
use crate::setup::{Endpoint, Setup, receive_all, text_of};
use crate::tasks::{impatient, join_all, spawn};

#[test]
fn a_recv_given_up_loses_no_message() {
    explore(|| {
        let setup = Setup::new().inbound(1);
        let (Endpoint { mut socket, driver, .. }, mut peer, _) = setup.with_peer();
        let driver = spawn(driver);
        let receiver = spawn(async move {
            let mut received = Vec::new();
            for _ in 0..4 {
                if let Some(Ok(Some(message))) = impatient(socket.recv()).await {
                    received.push(text_of(&message));
                }
            }
            let (rest, end) = receive_all(&mut socket).await;
            received.extend(rest);
            (received, end)
        });
        let peer = spawn(async move {
            peer.put([text("0"), text("1")].concat()).await;
            peer.put(text("2")).await;
            peer.close().await
        });
        assert_eq!(receiver.join(), (["0", "1", "2"].map(String::from).into(), true));
        driver.join();
        peer.join();
    });
}

#[test]
fn a_send_given_up_is_not_sent_and_another_is() {
    explore(|| {
        let setup = Setup::new().narrow().link(|link| link.capacity = 12);
        let (Endpoint { socket, driver, .. }, mut peer, _) = setup.with_peer();
        let driver = spawn(driver);
        let peer = spawn(async move { peer.finish().await });
        let impatient = ["a", "b"].map(|name| {
            let sender = socket.sender();
            spawn(async move {
                let mut taken = Vec::new();
                for n in 0..3 {
                    let message = format!("{name}{n} filling");
                    if let Some(sent) = impatient(sender.send(message.clone())).await {
                        sent.unwrap();
                        taken.push(message);
                    }
                }
                taken
            })
        });
        let patient = socket.sender();
        let patient = spawn(async move {
            for n in 0..2 {
                patient.send(format!("c{n} filling")).await.unwrap();
            }
            vec!["c0 filling".to_owned(), "c1 filling".to_owned()]
        });
        let [a, b] = impatient.map(|sender| sender.join());
        let taken = [a, b, patient.join()];
        spawn(async move { socket.close(CloseCode::NORMAL, "").await.unwrap() }).join();
        driver.join();
        let frames = peer.join();
        let mut received = texts(&frames);
        // Each sender's in order: the sort keeps it.
        received.sort_by_key(|text| text.chars().next());
        assert_eq!(received, taken.concat());
    });
}

#[test]
fn a_waiting_task_is_not_forgotten_with_one_that_gave_up() {
    explore(|| {
        let setup = Setup::new().narrow().link(|link| link.capacity = 12);
        let (mut server, mut client, _) = setup.pair();
        let drivers = [spawn(server.driver), spawn(client.driver)];
        let [giving_up, flushing, pinging, closed] = [(); 4].map(|()| server.socket.sender());
        let giving_up = spawn(async move {
            let sent = impatient(giving_up.send("filling")).await.is_some();
            impatient(giving_up.flush()).await;
            impatient(giving_up.ping()).await;
            sent
        });
        let flushing = spawn(async move {
            flushing.send("more filling").await.unwrap();
            flushing.flush().await.unwrap();
        });
        let pinging = spawn(async move { pinging.ping().await.unwrap() });
        let closed = spawn(async move { closed.closed().await });
        let closer = server.socket.sender();
        let receivers = [
            spawn(async move { receive_all(&mut server.socket).await }),
            spawn(async move { receive_all(&mut client.socket).await }),
        ];
        let sent = 1 + usize::from(giving_up.join());
        flushing.join();
        pinging.join();
        // A close goes on when nobody waits for it any more.
        let closer =
            spawn(async move { impatient(closer.close(CloseCode::NORMAL, "")).await.is_none_or(|end| end.is_ok()) });
        assert!(closer.join());
        assert!(closed.join().is_normal());
        let [to_server, to_client] = receivers.map(|receiver| receiver.join());
        assert_eq!((to_server.0.len(), to_client.0.len()), (0, sent));
        join_all(drivers);
    });
}
