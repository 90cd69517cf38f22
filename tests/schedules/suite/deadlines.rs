//! Deadlines that pass while other things happen.

use std::time::Duration;

use ws_session::CloseCode;

use crate::explore::explore;
use crate::peer::{CLOSE, Frame, PING, text, texts};
use crate::setup::{Endpoint, Setup, receive_all};
use crate::tasks::spawn;

#[test]
fn a_close_meets_its_deadline() {
    explore(|| {
        let (Endpoint { mut socket, driver, .. }, mut peer, clock) = Setup::new().with_peer();
        let driver = spawn(driver);
        let sender = socket.sender();
        let closing = spawn(async move { sender.close(CloseCode::NORMAL, "").await });
        let receiver = spawn(async move { receive_all(&mut socket).await });
        let peer = spawn(async move {
            peer.put(text("0")).await;
            peer.finish().await
        });
        let deadline = spawn(async move {
            for _ in 0..3 {
                clock.advance(Duration::from_secs(6));
            }
        });
        let closed = closing.join();
        let (received, is_normal) = receiver.join();
        assert_eq!(closed.is_ok(), is_normal);
        assert!(received == ["0"] || (received.is_empty() && !is_normal));
        driver.join();
        deadline.join();
        // The Close frame went out in time: the link has room.
        assert!(matches!(peer.join()[..], [Frame(CLOSE, _)]));
    });
}

#[test]
fn keepalive_goes_on_between_messages() {
    explore(|| {
        let setup = Setup::new().config(|config| config.deadlines.ping_interval = Some(Duration::from_secs(20)));
        let (Endpoint { mut socket, driver, .. }, mut peer, clock) = setup.with_peer();
        let driver = spawn(driver);
        let sender = socket.sender();
        let sending = spawn(async move {
            for n in 0..3 {
                sender.send(n.to_string()).await.unwrap();
                sender.flush().await.unwrap();
            }
        });
        let receiver = spawn(async move { receive_all(&mut socket).await });
        let time = spawn(async move {
            for _ in 0..3 {
                clock.advance(Duration::from_secs(21));
            }
        });
        let peer = spawn(async move {
            peer.put(text("in")).await;
            let mut frames = Vec::new();
            // One ping at least: the clock passes its time whatever happens.
            while texts(&frames).len() < 3 || !frames.iter().any(|frame| matches!(frame, Frame(PING, _))) {
                frames.push(peer.next().await.unwrap());
            }
            peer.close().await;
            frames
        });
        sending.join();
        time.join();
        assert_eq!(receiver.join(), (vec!["in".to_owned()], true));
        driver.join();
        assert_eq!(texts(&peer.join()), ["0", "1", "2"]);
    });
}

#[test]
fn an_answer_that_was_put_off_goes_out_in_time() {
    explore(|| {
        let (Endpoint { mut socket, driver, .. }, mut peer, clock) = Setup::new().with_peer();
        let driver = spawn(driver);
        let peer = spawn(async move {
            peer.put(text("0")).await;
            peer.close().await
        });
        let time = spawn(async move { clock.advance(Duration::from_secs(2)) });
        let answering = spawn(async move {
            let received = socket.recv().await.unwrap().unwrap();
            let answered = socket.send(received).await.is_ok();
            assert_eq!(socket.recv().await.unwrap(), None);
            answered
        });
        let answered = answering.join();
        driver.join();
        time.join();
        let frames = peer.join();
        assert_eq!(texts(&frames).len(), usize::from(answered));
        assert!(matches!(frames.last(), Some(Frame(CLOSE, _))));
    });
}
