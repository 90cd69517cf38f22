//! Peers that do anything at any time, applications that do too: whatever happens, it ends, nobody is left waiting, and
//! what was said in order is heard in order.

use std::io::ErrorKind;

use ws_proto::Role;
use ws_session::{CloseCode, Sender, WebSocket};

use crate::sim::*;

/// Sends numbered texts until it cannot, and asks for this and that in between.
async fn talk(sender: Sender, mut rng: Rng) {
    for n in 0..rng.below(40) {
        let text = format!("{n} {}", "x".repeat(rng.below(3000)));
        let ended = match rng.below(10) {
            0 => sender.flush().await.is_err(),
            1 => sender.ping().await.is_err(),
            2 => {
                sleep(millis(rng.below(3000) as u64)).await;
                continue;
            }
            _ => sender.send(text).await.is_err(),
        };
        if ended && !sender.is_open() {
            break;
        }
    }
    match rng.below(3) {
        0 => drop(sender.close(CloseCode::NORMAL, "").await),
        1 => drop(sender.close(CloseCode::NORMAL, "")),
        _ => {}
    }
}

/// Takes messages until the end, or only some.
async fn hear(mut socket: WebSocket, mut rng: Rng, heard: Log<String>) {
    let most = if rng.one_in(3) { rng.below(20) } else { usize::MAX };
    for _ in 0..most {
        if rng.one_in(8) {
            sleep(millis(rng.below(1500) as u64)).await;
        }
        match socket.recv().await {
            Ok(Some(message)) => heard.push(message.as_text().unwrap().to_owned()),
            _ => break,
        }
    }
    // Who wants no more lets go of the socket: messages that nobody takes would keep everything waiting.
}

/// The peer's doings: what it has said in full before it did something that ends the conversation.
fn play(world: &World, peer: &mut Peer, rng: &mut Rng) -> (Vec<String>, Vec<Frame>) {
    let (mut said, mut got, mut over) = (Vec::new(), Vec::new(), false);
    for n in 0..rng.below(60) {
        match rng.below(24) {
            0..10 => {
                let text = format!("{n} {}", "y".repeat(rng.below(2000)));
                let cut = rng.below(text.len());
                match rng.one_in(3) {
                    true => {
                        let (head, tail) = text.split_at(cut);
                        peer.send_together(&[peer.frame(TEXT_BEGINS, head), peer.frame(PING, "between")]);
                        peer.to.push(&peer.frame(CONTINUES | LAST, tail));
                    }
                    false => peer.send_text(&text),
                }
                if !over {
                    said.push(text);
                }
            }
            10..13 => peer.send(PING, n.to_string()),
            13 => peer.send(PONG, n.to_string()),
            14 => {
                over = true;
                peer.send_close(1000, "");
            }
            15 if rng.one_in(3) => {
                over = true;
                peer.to.push(&[0xFF; 10]);
            }
            16 if rng.one_in(3) => {
                peer.to.end();
                break;
            }
            17 if rng.one_in(3) => {
                peer.reset();
                break;
            }
            18 => peer.from.stall_writes(rng.one_in(2)),
            19 => peer.to.stall_reads(rng.one_in(2)),
            20 => world.advance(millis(rng.below(5000) as u64)),
            21 => world.advance(secs(rng.below(40) as u64)),
            _ => {
                for frame in peer.frames() {
                    if frame.0 == PING && rng.one_in(2) {
                        peer.send(PONG, &frame.1);
                    }
                    got.push(frame);
                }
            }
        }
        if rng.one_in(2) {
            world.run();
        }
    }
    (said, got)
}

#[test]
fn every_run_ends_and_in_order() {
    for seed in seeds(400) {
        let world = World::new(seed);
        let mut rng = world.rng();
        let role = if rng.one_in(2) { Role::Server } else { Role::Client };
        let setup = Setup {
            beside: rng.one_in(2),
            inbound: 1 + rng.below(20),
            link: LinkOptions {
                capacity: [500, 10_000, 1 << 20][rng.below(3)],
                chunk: [100, usize::MAX][rng.below(2)],
                hiccups: rng.one_in(2),
                buffered: rng.one_in(3),
                window: None,
                steady_window: false,
                resets: false,
                ..LinkOptions::default()
            },
            ..Setup::new(role)
        };
        let setup = setup.config(|config| config.limits.high_water = 1 + rng.below(10_000));
        let heard = Log::new();
        let (told, talker, hearer, both) = (heard.clone(), rng.fork(), rng.fork(), rng.one_in(2));
        let mut running = setup.start(&world, |socket| async move {
            let sender = socket.sender();
            match both {
                true => drop(futures_util::future::join(talk(sender, talker), hear(socket, hearer, told)).await),
                false => {
                    spawn_here("talk", talk(sender, talker));
                    hear(socket, hearer, told).await;
                }
            }
            Ok(())
        });
        let (said, mut got) = play(&world, &mut running.peer, &mut rng);
        // It goes away, one way or another, and leaves nothing in the way.
        running.peer.from.stall_writes(false);
        running.peer.to.stall_reads(false);
        got.extend(running.peer.frames());
        match rng.below(3) {
            0 => running.peer.leave(),
            1 => running.peer.reset(),
            _ => {
                running.peer.to.end();
                running.peer.from.fail_writes(ErrorKind::BrokenPipe);
            }
        }
        world.advance(secs(200));
        got.extend(running.peer.frames());
        assert_eq!(world.tasks(), 0, "somebody still waits: seed {seed}, {setup:?}: {}", world.report());
        assert!(running.peer.from.is_writer_gone(), "seed {seed}");

        let heard = heard.take();
        let is_prefix = heard.len() <= said.len() && heard == said[..heard.len()];
        assert!(is_prefix, "seed {seed}: heard {} of {} messages, or others", heard.len(), said.len());
        let texts = got.iter().filter(|frame| frame.0 == TEXT).map(|frame| {
            let text = String::from_utf8(frame.1.clone()).unwrap();
            text.split(' ').next().unwrap().parse::<usize>().unwrap()
        });
        assert!(texts.is_sorted_by(|a, b| a < b), "seed {seed}: out of order, or twice");
        let close_at = got.iter().position(|frame| frame.0 == CLOSE);
        assert!(close_at.is_none_or(|at| at == got.len() - 1), "seed {seed}: something follows a Close");
    }
}
