//! Futures that are dropped before they are ready: nothing is lost, and nothing comes twice.

use std::pin::pin;
use std::sync::mpsc;

use futures_util::future::{Either, FutureExt as _, join, select};

use super::setup::*;

const MESSAGES: usize = 500;

/// Of many sizes, and all different.
fn numbered(n: usize) -> Message {
    format!("{n:>width$}", width = n * 37 % 3000).into()
}

/// Settings with which a few messages fill the outgoing queue, so that sending waits.
fn narrow() -> Config {
    config(|config| (config.limits.high_water, config.limits.hard_cap) = (4 * KIB, 16 * KIB))
}

#[test]
fn recv_in_a_select_loop_loses_nothing() {
    let (tell, told) = mpsc::channel();
    let server = start(uncompressed(), move |mut ws| {
        let tell = tell.clone();
        async move {
            let mut cancelled = 0_u32;
            loop {
                // What stands beside it wins whenever no message is there already.
                match select(pin!(ws.recv()), pin!(yield_now())).await {
                    Either::Left((Ok(Some(message)), _)) => tell.send(message)?,
                    Either::Left((end, _)) => break assert_eq!(end?, None),
                    Either::Right(_) => cancelled += 1,
                }
            }
            assert!(cancelled > 0);
            Ok(())
        }
    });
    let ws = server.connect();
    for n in 0..MESSAGES {
        send(&ws, numbered(n));
        if n % 7 == 0 {
            block_on(ws.flush()).unwrap();
        }
    }
    close(ws);
    (0..MESSAGES).for_each(|n| assert_eq!(hear(&told), numbered(n)));
    server.stop();
}

#[test]
fn recv_dropped_at_random_polls_loses_nothing() {
    let server = start(uncompressed(), |ws| async move {
        for n in 0..MESSAGES {
            ws.send(numbered(n)).await?;
        }
        Ok(())
    });
    let mut ws = server.connect();
    let mut random = Random(2);
    for n in 0..MESSAGES {
        let received = block_on(async {
            loop {
                if let Some(received) = cut_off(ws.recv(), random.below(4)).await {
                    return received;
                }
            }
        });
        assert_eq!(received.unwrap(), Some(numbered(n)));
    }
    assert_eq!(ending(&mut ws), (1000, String::new()));
    server.stop();
}

#[test]
fn sends_dropped_at_random_polls_send_nothing_and_those_that_are_not_send_once() {
    let (handler, told) = telling();
    let server = start(uncompressed(), handler);
    let ws = block_on(server.client().config(narrow()).connect()).unwrap();
    let mut random = Random(3);
    for n in 0..MESSAGES {
        block_on(async {
            while cut_off(ws.send(numbered(n)), random.below(4)).await.transpose().unwrap().is_none() {}
        });
    }
    close(ws);
    assert!(hear(&told).0 == (0..MESSAGES).map(numbered).collect::<Vec<_>>());
    server.stop();
}

#[test]
fn fragments_dropped_at_random_polls_arrive_as_they_were_sent() {
    let (handler, told) = telling();
    let server = start(uncompressed(), handler);
    let ws = block_on(server.client().config(narrow()).connect()).unwrap();
    let mut random = Random(4);
    for n in 0..MESSAGES {
        let last = n % 5 == 4;
        let mut fragment = || cut_off(ws.send_fragment(numbered(n), last), random.below(4));
        block_on(async { while fragment().await.transpose().unwrap().is_none() {} });
    }
    close(ws);
    let whole = |first: usize| {
        let parts: Vec<Message> = (first..first + 5).map(numbered).collect();
        Message::from(parts.iter().filter_map(Message::as_text).collect::<String>())
    };
    assert!(hear(&told).0 == (0..MESSAGES).step_by(5).map(whole).collect::<Vec<_>>());
    server.stop();
}

#[test]
fn sending_and_receiving_in_one_select_loop() {
    let server = start(uncompressed().config(narrow()), echo);
    let mut ws = block_on(server.client().config(narrow()).connect()).unwrap();
    let (mut sent, mut received) = (0, 0);
    block_on(async {
        while received < MESSAGES {
            let sender = ws.sender();
            let sending = match sent < MESSAGES {
                true => sender.send(numbered(sent)).left_future(),
                false => std::future::pending().right_future(),
            };
            // Whichever is not ready first is dropped, and made anew in the next round.
            match select(pin!(ws.recv()), pin!(sending)).await {
                Either::Left((message, _)) => {
                    assert_eq!(message.unwrap(), Some(numbered(received)));
                    received += 1;
                }
                Either::Right((result, _)) => {
                    result.unwrap();
                    sent += 1;
                }
            }
        }
    });
    close(ws);
    server.stop();
}

#[test]
fn a_send_that_is_dropped_while_it_waits_sends_nothing() {
    let (ws, mut peer) = accepted(Server::new());
    // The socket and the queue are full.
    send(&ws, pattern(32 * MIB));
    for _ in 0..10 {
        assert!(block_on(cut_off(ws.send("dropped"), 3)).is_none());
    }
    let keeping = spawn(async move { ws.send("kept").await });
    assert_eq!(peer.frame().1.len(), 32 * MIB);
    assert_eq!(peer.frame(), (0x81, b"kept".to_vec()));
    block_on(keeping).unwrap();
}

#[test]
fn a_ping_that_is_dropped_is_no_burden() {
    let (_server, client) = both_ends(Server::new(), Client::new("ws://test/"));
    for _ in 0..100 {
        client.ping().now_or_never();
    }
    block_on(client.ping()).unwrap();
}

#[test]
fn a_close_whose_future_is_dropped_goes_on() {
    let (server, mut client) = both_ends(Server::new(), Client::new("ws://test/"));
    drop(server.close(4000, "on its way"));
    assert_eq!(ending(&mut client), (4000, "on its way".to_owned()));
    assert!(block_on(server.closed()).is_clean());
}

#[test]
fn waiting_for_the_end_elsewhere_takes_no_messages_away() {
    let (tell, told) = mpsc::channel();
    let server = start(uncompressed().inbound_queue(2), move |mut ws| {
        let tell = tell.clone();
        async move {
            let sender = ws.sender();
            let receiving = async {
                let mut came = 0;
                while ws.recv().await?.is_some() {
                    came += 1;
                    yield_now().await;
                }
                Ok::<_, Error>(came)
            };
            let (came, outcome) = join(receiving, sender.closed()).await;
            tell.send((came?, outcome))?;
            Ok(())
        }
    });
    let ws = server.connect();
    (0..200).for_each(|n| send(&ws, n.to_string()));
    close(ws);
    let (came, outcome) = hear(&told);
    assert_eq!(came, 200);
    assert!(outcome.is_normal());
    server.stop();
}
