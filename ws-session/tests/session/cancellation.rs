//! Futures dropped at every point where they wait, under random schedules: nothing is lost, nothing comes twice, nothing
//! comes out of order, and nobody is forgotten.

use std::future::poll_fn;
use std::pin::Pin;

use futures_util::{Sink, StreamExt, future};
use ws_proto::Role;
use ws_session::{CloseCode, Config, Error, Message, SendError, Sender, WebSocket};

use crate::sim::*;

/// The `n`th message: its number, and more or less behind it.
fn numbered(n: usize) -> Message {
    let padding = Rng(n as u64).below(if n.is_multiple_of(7) { 3000 } else { 60 });
    let text = format!("{n} {}", "é".repeat(padding));
    if n.is_multiple_of(3) { text.into_bytes().into() } else { text.into() }
}

/// The same, in up to four pieces.
fn pieces(n: usize, rng: &mut Rng) -> Vec<Message> {
    let whole = numbered(n);
    let mut cuts: Vec<usize> = (0..rng.below(4)).map(|_| rng.below(whole.len() + 1)).collect();
    if let Some(text) = whole.as_text() {
        cuts.retain(|&cut| text.is_char_boundary(cut));
    }
    cuts.extend([0, whole.len()]);
    cuts.sort();
    let pairs = cuts.windows(2).map(|cut| (cut[0], cut[1]));
    match &whole {
        Message::Text(text) => pairs.map(|(from, to)| text[from..to].to_owned().into()).collect(),
        Message::Binary(bytes) => pairs.map(|(from, to)| bytes.slice(from..to).into()).collect(),
    }
}

/// Sends so many messages, one way or another, giving up and trying again all the time.
async fn write_all(sender: Sender, count: usize, mut rng: Rng) {
    for n in 0..count {
        let fragmented = rng.one_in(4);
        let pieces = if fragmented { pieces(n, &mut rng) } else { vec![numbered(n)] };
        let last = pieces.len() - 1;
        for (i, piece) in pieces.into_iter().enumerate() {
            loop {
                if rng.one_in(10) {
                    let _ = rng.flaky(sender.flush()).await;
                }
                if rng.one_in(10) {
                    yield_now().await;
                }
                let sent = match fragmented {
                    true => rng.flaky(sender.send_fragment(piece.clone(), i == last)).await,
                    false if rng.one_in(5) => match sender.try_send(piece.clone()) {
                        Ok(()) => Some(Ok(())),
                        Err(SendError::Full(refused)) => {
                            assert_eq!(refused, piece);
                            None
                        }
                        Err(error) => panic!("{error:?}"),
                    },
                    false => rng.flaky(sender.send(piece.clone())).await,
                };
                match sent {
                    Some(result) => break result.expect("the connection is open"),
                    None => continue,
                }
            }
        }
    }
    sender.flush().await.expect("the peer reads on");
}

/// Takes so many messages, one way or another.
async fn read_all(socket: &mut WebSocket, count: usize, rng: &mut Rng) {
    for n in 0..count {
        let message = loop {
            if rng.one_in(10) {
                yield_now().await;
            }
            let received = match rng.one_in(2) {
                true => rng.flaky(socket.recv()).await.map(|received| received.map(|message| message.expect("open"))),
                false => rng.flaky(socket.next()).await.map(|next| next.expect("open")),
            };
            if let Some(message) = received {
                break message.expect("the connection is open");
            }
        };
        assert_eq!(message, numbered(n), "message {n}");
    }
}

/// Asks for this and that meanwhile.
async fn fidget(sender: Sender, rounds: usize, mut rng: Rng) {
    for _ in 0..rounds {
        match rng.below(3) {
            0 => drop(rng.flaky(sender.ping()).await.transpose().expect("answered")),
            1 => drop(rng.flaky(sender.flush()).await.transpose().expect("written")),
            _ => yield_now().await,
        }
        let not_yet = future::poll_immediate(sender.closed()).await;
        assert!(not_yet.is_none());
    }
}

/// One side's whole life.
async fn chat(mut socket: WebSocket, role: Role, count: usize, mut rng: Rng) {
    let (sender, other) = (socket.sender(), socket.sender());
    let (writer, fidgeter) = (rng.fork(), rng.fork());
    let mut reader = rng.fork();
    let reading = async {
        read_all(&mut socket, count, &mut reader).await;
        // The server may be half-way through something of its own: it says when it is done. Until then somebody has to
        // read, or pongs would wait behind that message.
        if role == Role::Client {
            assert_eq!(socket.recv().await.unwrap(), Some("done".into()));
        }
    };
    future::join3(reading, write_all(sender, count, writer), fidget(other, count / 4, fidgeter)).await;
    match role {
        Role::Client => {
            while rng.flaky(socket.close(CloseCode::NORMAL, "done")).await.transpose().expect("closed well").is_none() {
            }
            assert_eq!(socket.recv().await.unwrap(), None);
        }
        Role::Server => {
            socket.send("done").await.unwrap();
            loop {
                match rng.flaky(socket.recv()).await {
                    None => {}
                    Some(end) => break assert_eq!(end.unwrap(), None),
                }
            }
        }
    }
    assert!(socket.closed().await.is_normal());
}

#[test]
fn nothing_is_lost_whatever_is_dropped_and_whenever() {
    seeds(80).for_each(|seed| two_that_chat(seed, false));
}

#[test]
fn nothing_is_lost_over_transports_that_buffer() {
    seeds(40).for_each(|seed| two_that_chat(seed, true));
}

fn two_that_chat(seed: u64, buffered: bool) {
    let world = World::new(seed);
    let mut rng = world.rng();
    let mut config = Config::default();
    timeless(&mut config);
    config.limits.high_water = 1 + rng.below(1000);
    config.limits.hard_cap = config.limits.high_water + rng.below(2000);
    let options = LinkOptions {
        capacity: [20, 300, 5000, 1 << 20][rng.below(4)],
        chunk: [30, 1000, usize::MAX][rng.below(3)],
        hiccups: rng.one_in(2),
        buffered,
        window: None,
        steady_window: false,
        resets: true,
        ..LinkOptions::default()
    };
    let inbound = 1 + rng.below(20);
    let Pair { server, client } = open_pair_with(&world, &config, inbound, options);
    let tasks = [(server, Role::Server), (client, Role::Client)].map(|((socket, driver), role)| {
        let app = chat(socket, role, 60, rng.fork());
        match rng.one_in(2) {
            true => world.spawn("driver and app", async move {
                let app = async {
                    app.await;
                    Ok(())
                };
                driver.run(app).await.expect("no panic");
            }),
            false => {
                let driver = world.spawn("driver", driver);
                world.spawn("app", async move {
                    app.await;
                    driver.await;
                })
            }
        }
    });
    tasks.iter().for_each(|task| world.finish(task));
    assert_eq!(world.now(), secs(0), "nobody waited for a deadline");
}

#[test]
fn each_future_dropped_at_each_of_its_polls() {
    let operations = ["recv", "next", "send", "send_fragment", "sink", "flush", "ping", "close", "closed"];
    for setup in setups() {
        for operation in operations {
            for (polls, when_woken) in (0..12).flat_map(|polls| [(polls, true), (polls, false)]) {
                let what = format!("{operation}, dropped after {polls} polls ({when_woken}), {setup:?}");
                once_dropped(&setup, operation, polls, when_woken, &what);
            }
        }
    }
}

/// Against a peer that reads slowly: an operation that is dropped, then done again.
fn once_dropped(setup: &Setup, operation: &'static str, polls: usize, when_woken: bool, what: &str) {
    let world = World::new(polls as u64);
    let setup = setup.timeless().config(|config| config.limits.high_water = 10).link(|link| link.capacity = 7);
    let log = Log::new();
    let told = log.clone();
    let mut running = setup.start(&world, |mut socket| async move {
        socket.send("first, to fill the queue").await?;
        let cut = |n: usize| if n == 0 { polls } else { usize::MAX };
        // Twice: the first is cut off, the second is not. One that was ready after all counts.
        for n in 0..2 {
            let done = match operation {
                "recv" => {
                    let received = cut_off(socket.recv(), cut(n), when_woken).await.transpose()?;
                    received.map(|message| told.push(message.unwrap())).is_some()
                }
                "next" => {
                    let received = cut_off(socket.next(), cut(n), when_woken).await;
                    received.map(|message| told.push(message.unwrap().unwrap())).is_some()
                }
                "send" => cut_off(socket.send("second"), cut(n), when_woken).await.transpose()?.is_some(),
                "send_fragment" => {
                    cut_off(socket.send_fragment("second", true), cut(n), when_woken).await.transpose()?.is_some()
                }
                "sink" => {
                    let ready = poll_fn(|cx| Sink::<Message>::poll_ready(Pin::new(&mut socket), cx));
                    let ready = cut_off(ready, cut(n), when_woken).await.transpose()?.is_some();
                    if ready {
                        Pin::new(&mut socket).start_send("second".into())?;
                    }
                    ready
                }
                "flush" => cut_off(socket.flush(), cut(n), when_woken).await.transpose()?.is_some(),
                "ping" => cut_off(socket.ping(), cut(n), when_woken).await.transpose()?.is_some(),
                "close" => {
                    cut_off(socket.close(CloseCode::NORMAL, ""), cut(n), when_woken).await.transpose()?.is_some()
                }
                // The end does not come: there is nothing to wait for a second time.
                _ => cut_off(socket.closed(), if n == 0 { polls.min(1) } else { 0 }, false).await.is_some(),
            };
            if done {
                break;
            }
        }
        match operation {
            "recv" | "next" => {}
            "send" | "send_fragment" | "sink" => socket.send("third").await?,
            "close" => {
                assert!(socket.closed().await.is_normal());
                return Ok(());
            }
            _ => socket.send("second").await?,
        }
        loop {
            match socket.recv().await? {
                Some(message) => told.push(message),
                None => return Ok(()),
            }
        }
    });
    running.peer.send_text("one");
    running.peer.send_text("two");
    let mut frames = Vec::new();
    for _ in 0..40 {
        world.run();
        for frame in running.peer.frames() {
            match frame.0 {
                PING => running.peer.send(PONG, frame.1),
                CLOSE => {
                    running.peer.send_close(1000, "");
                    running.peer.to.end();
                    frames.push(close(1000, ""));
                }
                _ => frames.push(frame),
            }
        }
    }
    let mut expected = vec![text("first, to fill the queue")];
    match operation {
        "recv" | "next" => {}
        "send" | "send_fragment" | "sink" => expected.extend([text("second"), text("third")]),
        "close" => expected.push(close(1000, "")),
        _ => expected.push(text("second")),
    }
    assert_eq!(frames, expected, "{what}");
    if operation != "close" {
        assert_eq!(log.take(), ["one".into(), "two".into()] as [Message; 2], "{what}");
        running.peer.send_close(1000, "");
        running.peer.to.end();
        for _ in 0..5 {
            world.run();
            running.peer.frames();
        }
    }
    assert!(running.driver.is_finished(), "{what}");
    assert_eq!(world.now(), secs(0));
}

#[test]
fn a_dropped_send_sends_nothing_and_a_dropped_close_closes() {
    for setup in setups() {
        let world = World::new(1);
        let mut running = setup.start(&world, |socket| async move {
            drop(socket.send("never polled"));
            drop(socket.send_fragment("never polled", false));
            drop(socket.ping());
            drop(socket.flush());
            drop(socket.closed());
            sleep(secs(1)).await;
            drop(socket.close(CloseCode::NORMAL, "never polled"));
            assert!(matches!(socket.send("late").await, Err(Error::Closing)));
            sleep(secs(1)).await;
            Ok(())
        });
        world.run();
        assert_eq!(running.peer.frames(), []);
        world.advance(secs(1));
        assert_eq!(running.peer.frames(), [close(1000, "never polled")]);
    }
}
