//! Several senders at once, with too little room for all.

use ws_session::{CloseCode, Error, SendError};

use crate::explore::explore;
use crate::peer::{CLOSE, Frame, texts};
use crate::setup::{Endpoint, Setup};
use crate::tasks::{Running, join_all, spawn};

/// The messages of one sender among those of all.
fn of<'a>(sender: char, all: &[&'a str]) -> Vec<&'a str> {
    all.iter().copied().filter(|text| text.starts_with(sender)).collect()
}

#[test]
fn messages_of_waiting_senders_arrive_once_and_in_order() {
    explore(|| {
        let setup = Setup::new().narrow().link(|link| link.capacity = 20);
        let (Endpoint { socket, driver, .. }, mut peer, _) = setup.with_peer();
        let driver = spawn(driver);
        let peer = spawn(async move { peer.finish().await });
        let senders = ['a', 'b', 'c'].map(|name| {
            let sender = socket.sender();
            spawn(async move {
                for n in 0..3 {
                    sender.send(format!("{name}{n} filling")).await.unwrap();
                }
            })
        });
        join_all(senders);
        let closing = spawn(async move { socket.close(CloseCode::NORMAL, "").await });
        closing.join().unwrap();
        driver.join();
        let frames = peer.join();
        let received = texts(&frames);
        assert_eq!(received.len(), 9, "{received:?}");
        for name in ['a', 'b', 'c'] {
            let expected: Vec<_> = (0..3).map(|n| format!("{name}{n} filling")).collect();
            assert_eq!(of(name, &received), expected);
        }
        assert!(matches!(frames.last(), Some(Frame(CLOSE, _))));
    });
}

#[test]
fn a_message_sent_without_waiting_arrives_only_if_it_was_accepted() {
    explore(|| {
        let setup = Setup::new().narrow().link(|link| {
            link.capacity = 12;
            link.portions = true;
        });
        let (Endpoint { socket, driver, .. }, mut peer, _) = setup.with_peer();
        let driver = spawn(driver);
        let peer = spawn(async move { peer.finish().await });
        let senders = ['a', 'b'].map(|name| {
            let sender = socket.sender();
            spawn(async move {
                let mut taken = Vec::new();
                for n in 0..4 {
                    let message = format!("{name}{n} filling");
                    match sender.try_send(message.clone()) {
                        Ok(()) => taken.push(message),
                        Err(SendError::Full(_)) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
                sender.flush().await.unwrap();
                taken
            })
        });
        let taken = senders.map(Running::join);
        spawn(async move { socket.close(CloseCode::NORMAL, "").await.unwrap() }).join();
        driver.join();
        let frames = peer.join();
        let received = texts(&frames);
        assert_eq!(of('a', &received), taken[0]);
        assert_eq!(of('b', &received), taken[1]);
        assert_eq!(received.len(), taken[0].len() + taken[1].len());
    });
}

#[test]
fn a_fragmented_message_stays_in_one_piece() {
    explore(|| {
        let setup = Setup::new().narrow().link(|link| link.capacity = 20);
        let (Endpoint { socket, driver, .. }, mut peer, _) = setup.with_peer();
        let driver = spawn(driver);
        let peer = spawn(async move { peer.finish().await });
        let fragments = socket.sender();
        let fragmenting = spawn(async move {
            for (fragment, last) in [("f0 filling", false), ("f1 filling", false), ("f2 filling", true)] {
                fragments.send_fragment(fragment, last).await.unwrap();
            }
        });
        let messages = socket.sender();
        let messaging = spawn(async move {
            let mut taken = Vec::new();
            for n in 0..3 {
                let message = format!("m{n}");
                match messages.send(message.clone()).await {
                    Ok(()) => taken.push(message),
                    Err(Error::Unfinished) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            taken
        });
        fragmenting.join();
        let taken = messaging.join();
        spawn(async move { socket.close(CloseCode::NORMAL, "").await.unwrap() }).join();
        driver.join();
        let frames = peer.join();
        assert_eq!(texts(&frames), taken);
        let begins = frames.iter().position(|frame| matches!(frame, Frame(0x01, _))).unwrap();
        let [f0, f1, f2] = ["f0 filling", "f1 filling", "f2 filling"].map(Vec::from);
        assert_eq!(frames[begins..begins + 3], [Frame(0x01, f0), Frame(0x00, f1), Frame(0x80, f2)]);
    });
}

#[test]
fn both_sides_send_more_than_the_link_holds() {
    explore(|| {
        let setup = Setup::new().narrow().inbound(1).link(|link| link.capacity = 16);
        let (server, client, _) = setup.pair();
        let drivers = [spawn(server.driver), spawn(client.driver)];
        let sides = [server.socket, client.socket].map(|mut socket| {
            let sender = socket.sender();
            let sending = spawn(async move {
                for n in 0..3 {
                    sender.send(format!("{n} filling")).await.unwrap();
                }
            });
            let receiving = spawn(async move {
                for n in 0..3 {
                    assert_eq!(socket.recv().await.unwrap(), Some(format!("{n} filling").into()));
                }
                socket
            });
            (sending, receiving)
        });
        let [server, client] = sides.map(|(sending, receiving)| {
            sending.join();
            receiving.join()
        });
        drop((server, client));
        join_all(drivers);
    });
}
