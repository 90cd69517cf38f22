//! Peers that do not read, applications that do not receive: what waits, how long, and that nothing spins meanwhile.

use std::io::{IoSlice, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use super::setup::*;

/// More than all the sockets between two ends hold.
const TOO_MUCH: usize = 32 * MIB;

#[test]
fn reading_stops_when_nobody_takes_the_messages() {
    let (open, gate) = gate();
    let server = start(uncompressed().inbound_queue(2), move |mut ws| {
        let gate = gate.clone();
        async move {
            gate.await?;
            for n in 0_u16.. {
                match ws.recv().await? {
                    Some(message) => assert_eq!(message.as_bytes()[..2], n.to_be_bytes()),
                    None => break,
                }
                ws.send("taken").await?;
            }
            Ok(())
        }
    });
    let mut ws = server.connect();
    let mut payload = pattern(64 * KIB);
    let mut sent: u16 = 0;
    // Until all socket buffers between us and the two messages are full.
    loop {
        payload[..2].copy_from_slice(&sent.to_be_bytes());
        match for_a_while(ws.send(payload.clone())) {
            Some(result) => result.unwrap(),
            None => break,
        }
        sent += 1;
        assert!(sent < 1000, "64 MB are on their way to somebody who reads nothing");
    }
    open.send(()).unwrap();
    send(&ws, payload);
    for _ in 0..=sent {
        assert_eq!(text(&mut ws), "taken");
    }
    close(ws);
    server.stop();
}

#[test]
fn flush_waits_for_the_transport_and_send_does_not() {
    let (ws, mut peer) = accepted(Server::new());
    send(&ws, pattern(TOO_MUCH));
    assert!(for_a_while(ws.flush()).is_none(), "nobody reads");
    let flushing = spawn(async move { ws.flush().await });
    assert_eq!(peer.frame().1.len(), TOO_MUCH);
    block_on(flushing).unwrap();
}

#[test]
fn a_send_waits_for_room() {
    let (ws, mut peer) = accepted(Server::new());
    send(&ws, pattern(TOO_MUCH));
    assert!(for_a_while(ws.send("no room")).is_none(), "nobody reads");
    let sending = spawn(async move { ws.send("room again").await });
    assert_eq!(peer.frame().1.len(), TOO_MUCH);
    assert_eq!(peer.frame(), (0x81, b"room again".to_vec()));
    block_on(sending).unwrap();
}

#[test]
fn a_ping_that_has_no_room_is_sent_once_there_is() {
    let (ws, mut peer) = accepted(Server::new());
    send(&ws, pattern(TOO_MUCH));
    let pinging = spawn(async move { ws.ping().await });
    assert_eq!(peer.frame().1.len(), TOO_MUCH);
    let (first, payload) = peer.frame();
    assert_eq!(first, 0x89);
    peer.write(masked(0x8A, payload));
    block_on(pinging).unwrap();
}

#[test]
fn many_senders_and_a_slow_reader() {
    const SENDERS: usize = 40;
    let (ws, mut peer) = accepted(Server::new());
    let sending: Vec<_> = (0..SENDERS)
        .map(|n| {
            let sender = ws.sender();
            spawn(async move {
                for m in 0..20 {
                    sender.send(vec![n as u8, m]).await.unwrap();
                    sender.send(vec![n as u8; 9000]).await.unwrap();
                }
            })
        })
        .collect();
    settle();
    let mut next = [0; SENDERS];
    for _ in 0..SENDERS * 40 {
        let (_, payload) = peer.frame();
        if payload.len() == 2 {
            let next = &mut next[usize::from(payload[0])];
            assert_eq!(payload[1], *next, "each sender's messages stay in order");
            *next += 1;
        }
    }
    block_on(futures_util::future::join_all(sending));
    assert_eq!(next, [20; SENDERS]);
}

// ---- peers that never read ----

fn impatient() -> Server {
    Server::new().config(config(|config| config.deadlines.write_stall = Some(SOON)))
}

#[test]
fn a_peer_that_does_not_read_is_left() {
    let (mut ws, _peer) = accepted(impatient());
    send(&ws, pattern(TOO_MUCH));
    assert_eq!(outcome(&failure(&mut ws)).cause, Cause::WriteStall);
}

#[test]
fn a_peer_that_only_pings_and_does_not_read_is_left_too() {
    let (mut ws, mut peer) = accepted(impatient());
    send(&ws, pattern(TOO_MUCH));
    let pings = masked(0x89, [7; 125]);
    let pinging = std::thread::spawn(move || while peer.try_write(&pings).is_ok() && peer.try_write(&pings).is_ok() {});
    assert_eq!(outcome(&failure(&mut ws)).cause, Cause::WriteStall, "what comes in is no sign of reading");
    pinging.join().unwrap();
}

/// Counts how often it was asked to write in vain since it last took something.
struct Counting<T> {
    inner: T,
    in_vain: Arc<AtomicUsize>,
}

impl<T: Transport> Transport for Counting<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize>> {
        self.inner.poll_read(cx, buffer)
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        let written = self.inner.poll_write_vectored(cx, buffers);
        match written {
            Poll::Pending => self.in_vain.fetch_add(1, Ordering::Relaxed),
            Poll::Ready(_) => self.in_vain.swap(0, Ordering::Relaxed),
        };
        written
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.inner.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.inner.poll_shutdown(cx)
    }
}

/// Runs a handler over a connection whose other end reads nothing; how often the driver tried to write while all was
/// full already.
fn writes_while_stuck<F>(handler: impl FnOnce(WebSocket) -> F + Send + 'static) -> usize
where
    F: Future<Output = HandlerResult> + Send + 'static,
{
    let (near, far) = tcp_pair();
    let in_vain = Arc::new(AtomicUsize::new(0));
    let transport = Counting { inner: Io::new(stream(far)), in_vain: Arc::clone(&in_vain) };
    let running = spawn(async move {
        let (ws, driver) = Server::new().accept(transport, Addresses::default()).await.unwrap();
        let _ = driver.run(handler(ws)).await;
    });
    let mut peer = Peer::new(near);
    peer.upgrade("/");
    until(|| in_vain.load(Ordering::Relaxed) > 0);
    // The system may find some more room. Each time, the count begins again.
    std::thread::sleep(4 * A_WHILE);
    let count = in_vain.load(Ordering::Relaxed);
    peer.reset();
    block_on(running);
    count
}

#[test]
fn a_driver_that_is_stuck_does_not_spin() {
    let writes = writes_while_stuck(|ws| async move {
        ws.send(pattern(TOO_MUCH)).await?;
        Ok(ws.send("after it").await?)
    });
    assert!(writes < 20, "{writes} writes while the peer reads nothing");
}

#[test]
fn a_close_behind_stuck_bytes_does_not_make_the_driver_spin() {
    let writes = writes_while_stuck(|ws| async move {
        ws.send(pattern(TOO_MUCH)).await?;
        Ok(ws.close(1000, "").await.map(drop)?)
    });
    assert!(writes < 20, "{writes} writes while the peer reads nothing");
}

#[test]
fn a_ping_that_has_no_room_does_not_make_the_driver_spin() {
    let writes = writes_while_stuck(|ws| async move {
        ws.send(pattern(TOO_MUCH)).await?;
        Ok(ws.ping().await.map(drop)?)
    });
    assert!(writes < 20, "{writes} writes while the peer reads nothing");
}

#[test]
fn a_clock_answers_pings_and_a_close_behind_a_hundred_unread_messages() {
    let server = start(Server::new(), |ws| async move {
        let ws = ws.send_only();
        loop {
            ws.send("tick").await?;
            super::super::sleep(A_WHILE).await;
        }
    });
    let mut peer = server.upgraded();
    for _ in 0..100 {
        peer.write(masked(0x81, "heartbeat"));
    }
    for n in 0..5 {
        peer.write(masked(0x89, [n]));
    }
    peer.write(masked_close(1000, ""));
    let mut frames = Vec::new();
    loop {
        match peer.frame() {
            (0x81, _) => {}
            (0x88, body) => break assert_eq!(body, close_body(1000, "")),
            frame => frames.push(frame),
        }
    }
    assert_eq!(frames, (0..5).map(|n| (0x8A, vec![n])).collect::<Vec<_>>());
    assert_eq!(peer.rest(), b"", "the connection ends, though the handler sleeps");
    drop(peer);
    server.stop();
}
