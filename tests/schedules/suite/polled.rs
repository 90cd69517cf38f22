//! Streams that are driven by being polled: other threads send, or poll the other half.

use std::future::poll_fn;

use futures_util::{SinkExt, StreamExt};
use ws_session::CloseCode;

use crate::explore::explore;
use crate::peer::{PING, text, texts};
use crate::setup::Setup;
use crate::tasks::{impatient, join_all, spawn};

#[test]
fn messages_of_other_tasks_are_written_by_the_polling_task() {
    explore(|| {
        let setup = Setup::new().narrow().link(|link| link.capacity = 20);
        let (mut stream, mut peer, _) = setup.polled();
        let closer = stream.sender();
        let senders = ['a', 'b'].map(|name| {
            let sender = stream.sender();
            spawn(async move {
                for n in 0..3 {
                    sender.send(format!("{name}{n} filling")).await.unwrap();
                }
                sender.flush().await.unwrap();
            })
        });
        let polled = spawn(async move {
            while stream.recv().await.unwrap().is_some() {}
            stream.closed().await;
        });
        let peer = spawn(async move { peer.finish().await });
        join_all(senders);
        spawn(async move { closer.close(CloseCode::NORMAL, "").await }).join().unwrap();
        polled.join();
        assert_eq!(texts(&peer.join()).len(), 6);
    });
}

#[test]
fn a_ping_of_another_thread_is_sent_while_the_polling_task_comes_and_goes() {
    explore(|| {
        let (mut stream, mut peer, _) = Setup::new().polled();
        let sender = stream.sender();
        let polled = spawn(async move {
            loop {
                match impatient(stream.recv()).await {
                    Some(received) if received.as_ref().is_ok_and(Option::is_some) => {}
                    Some(_) => break,
                    None => {}
                }
            }
            stream.closed().await;
        });
        let pinging = spawn(async move {
            sender.ping().await.unwrap();
            sender.close(CloseCode::NORMAL, "").await.unwrap();
        });
        let peer = spawn(async move { peer.finish().await });
        pinging.join();
        polled.join();
        assert!(peer.join().iter().any(|frame| frame.0 == PING));
    });
}

#[test]
fn neither_half_is_forgotten_for_the_other() {
    explore(|| {
        let setup = Setup::new().narrow().link(|link| {
            link.capacity = 20;
            link.portions = true;
        });
        let (stream, mut peer, _) = setup.polled();
        let (mut sink, mut incoming) = stream.split();
        let receiving = spawn(async move {
            let mut received = 0;
            while let Some(message) = incoming.next().await {
                message.unwrap();
                received += 1;
            }
            received
        });
        let sending = spawn(async move {
            for n in 0..3 {
                sink.feed(format!("{n} filling").into()).await.unwrap();
                // `split` keeps the last message to itself until then.
                poll_fn(|cx| sink.poll_ready_unpin(cx)).await.unwrap();
                // Given up somewhere: the other half writes on.
                let _ = impatient(sink.flush()).await;
            }
            sink
        });
        let peer = spawn(async move {
            for n in 0..3 {
                peer.put(text(&n.to_string())).await;
            }
            let mut frames = Vec::new();
            while texts(&frames).len() < 3 {
                frames.push(peer.next().await.expect("another message"));
            }
            peer.close().await;
            frames
        });
        let frames = peer.join();
        assert_eq!(receiving.join(), 3);
        drop(sending.join());
        assert_eq!(texts(&frames), ["0 filling", "1 filling", "2 filling"]);
    });
}
