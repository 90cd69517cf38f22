//! The end of a server: connections, handlers, handshakes under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::sim::*;

#[test]
fn shutdown_closes_with_1001_and_waits_for_the_handlers() {
    let world = World::new(1);
    let log = Log::new();
    let told = log.clone();
    let site = Site::new(world, Server::new(), move |mut socket| {
        let told = told.clone();
        async move {
            while socket.recv().await?.is_some() {}
            sleep(secs(3)).await;
            told.push("cleaned up");
            Ok(())
        }
    });
    let mut peers = [site.open(), site.open()];
    site.handle.shutdown();
    site.world.run();
    assert!(site.backlog.is_closed(), "nobody listens any more");
    for peer in &mut peers {
        assert_eq!(peer.frames(), [close(1001, "server shutdown")]);
        peer.send_close(1001, "");
        peer.leave();
    }
    site.world.advance(secs(3) - millis(1));
    assert!(!site.serving.is_finished());
    site.world.advance(millis(1));
    assert_eq!(log.len(), 2);
    assert!(site.serving.take().expect("done").is_ok());
    assert_eq!(site.handle.connections(), 0);
    site.handle.shutdown();
}

#[test]
fn shutdown_of_a_server_without_connections_is_done_at_once() {
    let site = Site::echo(Server::new());
    site.handle.shutdown();
    site.world.run();
    assert!(site.serving.take().expect("done").is_ok());

    let listening = site.world.at_once(Server::new().bind("127.0.0.1:0")).unwrap();
    listening.handle().shutdown();
    let served = site.world.at_once(listening.serve(|_| async { Ok(()) }));
    assert!(served.is_ok(), "before it began");
}

#[test]
fn a_handshake_under_way_gets_503_at_shutdown() {
    let site = Site::echo(Server::new());
    let mut peer = site.connect();
    peer.to.push(&REQUEST[..40]);
    site.world.run();
    site.handle.shutdown();
    site.world.run();
    peer.to.push(&REQUEST[40..]);
    site.world.run();
    let head = peer.head();
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    peer.leave();
    site.world.run();
    assert!(site.serving.is_finished());
}

#[test]
fn connections_that_were_just_accepted_are_not_forgotten_at_shutdown() {
    for seed in seeds(50) {
        let site = Site::new(World::new(seed), Server::new(), |mut socket| async move {
            while socket.recv().await?.is_some() {}
            Ok(())
        });
        let peers: Vec<_> = (0..3).map(|_| site.connect()).collect();
        let handle = site.handle.clone();
        site.world.spawn("shutdown", async move {
            yield_now().await;
            handle.shutdown();
        });
        let (left, wires) = (Log::new(), peers.iter().map(|peer| peer.from.clone()).collect::<Vec<_>>());
        let (seen, serving) = (left.clone(), site.serving);
        site.world.spawn("after serve", async move {
            serving.await.unwrap();
            seen.push(wires.iter().filter(|wire| !wire.is_writer_gone()).count());
        });
        site.world.run();
        assert_eq!(left.take(), [0], "serve has returned, and handshakes are still under way: seed {seed}");
    }
}

/// Tells when it is dropped.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Handlers that do not end by themselves, each in its way.
const STUBBORN: [&str; 6] =
    ["never looks", "waits for messages", "sends to nobody", "closes first", "drops the socket", "after its end"];

#[test]
fn the_drain_deadline_drops_handlers_and_transports() {
    for manner in STUBBORN {
        let world = World::new(1);
        let alive = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&alive);
        let site = Site::new(world, Server::new().drain_timeout(secs(5)), move |mut socket| {
            let alive = Alive::new(&count);
            async move {
                let _alive = alive;
                match manner {
                    "waits for messages" => {
                        let _ = socket.recv().await;
                    }
                    "sends to nobody" => while socket.send(vec![0; 100_000]).await.is_ok() {},
                    "closes first" => drop(socket.close(4000, "").await),
                    "drops the socket" => drop(socket),
                    "after its end" => {
                        while let Ok(Some(_)) = socket.recv().await {}
                        // What a handler may do after the end, each to no avail.
                        let _ = socket.send("late").await;
                        drop(socket.close(4000, ""));
                        drop(socket);
                    }
                    _ => {}
                }
                std::future::pending().await
            }
        });
        let mut peer = site.open();
        if manner == "after its end" {
            peer.leave();
            site.world.run();
        }
        assert_eq!(alive.load(Ordering::Relaxed), 1);
        site.handle.shutdown();
        site.world.advance(secs(5) - millis(1));
        assert!(!site.serving.is_finished());
        assert_eq!(alive.load(Ordering::Relaxed), 1);
        site.world.advance(millis(1));
        assert!(site.serving.take().expect("the deadline has passed").is_ok());
        assert_eq!(alive.load(Ordering::Relaxed), 0, "a handler that {manner} is still there");
        assert!(peer.from.is_writer_gone());
        assert_eq!(site.handle.connections(), 0);
    }
}

#[test]
fn a_slow_closing_handshake_does_not_hold_a_shutdown_beyond_its_deadline() {
    let site = Site::echo(Server::new().drain_timeout(secs(5)));
    let mut peer = site.open();
    site.handle.shutdown();
    site.world.advance(secs(5));
    assert_eq!(peer.frames(), [close(1001, "server shutdown")]);
    assert!(site.serving.is_finished());
    assert!(peer.from.is_writer_gone());
}

#[test]
fn a_handshake_that_stands_still_does_not_outlive_the_drain_deadline() {
    let site = Site::echo(Server::new().drain_timeout(secs(5)));
    let peer = site.connect();
    peer.to.push(&REQUEST[..40]);
    site.world.run();
    site.handle.shutdown();
    site.world.advance(secs(5));
    assert!(site.serving.is_finished());
    assert!(peer.from.is_writer_gone(), "serve has returned, and its sockets are still open");
}

#[test]
fn when_serve_is_dropped_open_connections_go_on() {
    let site = Site::echo(Server::new());
    let mut peer = site.open();
    site.world.cancel(&site.serving);
    assert!(site.backlog.is_closed());
    peer.send_text("still there?");
    site.world.run();
    assert_eq!(peer.frames(), [text("still there?")]);
    site.handle.shutdown();
    site.world.run();
    assert_eq!(peer.frames(), [close(1001, "server shutdown")]);
}
