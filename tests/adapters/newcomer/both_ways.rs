//! Receiving and sending at the same time, and to many.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _, join, pin_mut, select};

use super::super::setup::*;

#[test]
fn receiving_and_sending_in_one_join() {
    let server = start(Server::new(), echo);
    let mut ws = server.connect();
    block_on(async {
        let sender = ws.sender();
        let (sent, received) = join!(sender.send("Hello"), ws.recv());
        sent.unwrap();
        assert_eq!(received.unwrap().unwrap(), "Hello");

        let sending = async {
            for n in 0..100 {
                sender.send(format!("{n}")).await?;
            }
            sender.close(1000, "").await
        };
        let receiving = async {
            let mut messages = Vec::new();
            while let Some(message) = ws.recv().await? {
                messages.push(message.to_string());
            }
            Ok::<_, Error>(messages)
        };
        let (sent, received) = join!(sending, receiving);
        assert!(sent.unwrap().is_clean());
        assert_eq!(received.unwrap(), (0..100).map(|n| n.to_string()).collect::<Vec<_>>());
    });
    server.stop();
}

#[test]
fn receiving_and_sending_in_one_select() {
    let server = start(Server::new(), echo);
    let mut ws = server.connect();
    block_on(async {
        let ticks = futures_util::stream::iter(["tick 1", "tick 2"]).fuse();
        pin_mut!(ticks);
        let mut received = Vec::new();
        while received.len() < 2 {
            select! {
                tick = ticks.next() => if let Some(tick) = tick { ws.send(tick).await.unwrap() },
                message = ws.recv().fuse() => received.push(message.unwrap().unwrap()),
            }
        }
        assert_eq!(received, ["tick 1", "tick 2"]);
    });
    close(ws);
    server.stop();
}

#[test]
fn a_sender_in_a_task_of_its_own() {
    let server = start(Server::new(), echo);
    let mut ws = server.connect();
    let sender = ws.sender();
    let task = spawn(async move { sender.send("from elsewhere").await });
    assert_eq!(recv(&mut ws), "from elsewhere");
    block_on(task).unwrap();
    close(ws);
    server.stop();
}

#[test]
fn split_as_any_stream_and_sink() {
    let server = start(Server::new(), echo);
    let (mut sink, mut stream) = server.connect().split();
    block_on(async {
        sink.send("Hello".into()).await.unwrap();
        while let Some(Ok(message)) = stream.next().await {
            assert_eq!(message, "Hello");
            sink.close().await.unwrap();
        }
    });
    server.stop();
}

#[test]
fn a_chat_that_keeps_its_members_in_a_set() {
    async fn chat(mut ws: WebSocket, members: Arc<Mutex<HashSet<Sender>>>) -> HandlerResult {
        let me = ws.sender();
        members.lock().unwrap().insert(me.clone());
        while let Some(message) = ws.recv().await? {
            for member in members.lock().unwrap().iter() {
                let _ = member.try_send(&message);
            }
        }
        members.lock().unwrap().remove(&me);
        Ok(())
    }
    let members = Arc::new(Mutex::new(HashSet::new()));
    let room = Arc::clone(&members);
    let server = start(Server::new(), move |ws| chat(ws, room.clone()));
    let (mut one, mut other) = (server.connect(), server.connect());
    until(|| members.lock().unwrap().len() == 2);
    send(&one, "Hello, all");
    assert_eq!(recv(&mut one), "Hello, all");
    assert_eq!(recv(&mut other), "Hello, all");
    close(one);
    until(|| members.lock().unwrap().len() == 1);
    server.stop();
}
