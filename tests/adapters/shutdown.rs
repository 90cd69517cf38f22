//! The end of a server: everyone is told, nobody new comes in, handlers are waited for, but not for ever.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;

use futures_util::FutureExt as _;
use futures_util::future::{Either, select};

use super::setup::*;

fn gone() -> (u16, String) {
    (1001, "server shutdown".to_owned())
}

#[test]
fn everyone_is_told_and_the_server_returns() {
    let server = start(Server::new(), echo);
    let mut peers: Vec<_> = (0..20).map(|_| server.connect()).collect();
    until(|| server.handle.connections() == 20);
    assert!(format!("{:?}", server.handle).contains("20"));
    server.handle.shutdown();
    server.handle.clone().shutdown(); // once more changes nothing
    for peer in &mut peers {
        assert_eq!(ending(peer), gone());
        assert_eq!(block_on(peer.recv()).unwrap(), None, "1001 is an end as it should be");
    }
    let handle = server.handle.clone();
    server.ended();
    assert_eq!(handle.connections(), 0);
}

#[test]
fn a_future_tells_the_server_to_end() {
    let (stop, stopped) = gate();
    let listening = block_on(Server::new().bind("127.0.0.1:0")).unwrap();
    let url = format!("ws://{}", listening.local_addr().unwrap());
    let server = spawn(listening.serve_until(echo, stopped));
    let mut peers: Vec<_> = (0..3).map(|_| block_on(connect(&url)).unwrap()).collect();
    for peer in &mut peers {
        send(peer, "Hello");
        assert_eq!(recv(peer), "Hello");
    }
    stop.send(()).unwrap();
    for peer in &mut peers {
        assert_eq!(ending(peer), gone());
    }
    block_on(server).unwrap();
    // The short way; here the future is ready before anyone comes.
    block_on(serve_until("127.0.0.1:0", handler(|_| async {}), async { "any output" })).unwrap();
}

#[test]
fn nobody_is_connected() {
    start(Server::new().drain_timeout(NEVER), echo).stop();
}

#[test]
fn a_server_may_be_told_before_it_runs() {
    let listening = block_on(Server::new().bind("127.0.0.1:0")).unwrap();
    listening.handle().shutdown();
    block_on(listening.serve(echo)).unwrap();
}

#[test]
fn messages_sent_before_are_delivered_before_the_close() {
    let (tell, told) = mpsc::channel();
    let server = start(Server::new(), move |ws| {
        tell.send(ws.sender()).unwrap();
        drain(ws)
    });
    let mut ws = server.connect();
    let sender = hear(&told);
    for n in 0..5 {
        block_on(sender.send(vec![n; 100_000])).unwrap();
    }
    server.handle.shutdown();
    for n in 0..5 {
        assert_eq!(recv(&mut ws), Message::from(vec![n; 100_000]));
    }
    assert_eq!(ending(&mut ws), gone());
    assert!(block_on(sender.send("too late")).is_err());
    server.ended();
}

#[test]
fn new_connections_are_refused_from_then_on() {
    let server = start(Server::new(), echo);
    let address = server.address;
    server.stop();
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn new_connections_are_refused_while_handlers_finish() {
    let (open, gate) = gate();
    let server = start(Server::new(), move |ws| {
        let gate = gate.clone();
        async move {
            drain(ws).await?;
            Ok(gate.await?)
        }
    });
    let mut peer = server.connect();
    server.handle.shutdown();
    assert_eq!(ending(&mut peer), gone());
    until(|| TcpStream::connect(server.address).is_err());
    assert_eq!(server.handle.connections(), 1, "its handler still runs");
    open.send(()).unwrap();
    let handle = server.handle.clone();
    server.ended();
    assert_eq!(handle.connections(), 0);
}

#[test]
fn a_handshake_under_way_gets_503() {
    let whole = request("/", &[]);
    let (begin, rest) = whole.split_at(40);
    // A server that has not read its beginning by then drops the connection. On a busy machine that takes a while.
    let reply = [1, 10, 100].iter().find_map(|&patience| {
        let server = start(Server::new(), echo);
        let mut peer = server.peer();
        peer.write(begin);
        thread::sleep(patience * A_WHILE);
        server.handle.shutdown();
        let reply = peer.try_write(rest).is_ok().then(|| peer.until_let_go());
        drop(peer);
        server.ended();
        reply.filter(|reply| !reply.is_empty())
    });
    let reply = String::from_utf8(reply.expect("an answer")).unwrap();
    assert!(
        reply.starts_with("HTTP/1.1 503 ") && reply.to_lowercase().contains("\r\nconnection: close\r\n"),
        "{reply}"
    );
    assert!(reply.contains("Try again later"), "{reply}");
}

/// Who has asked for nothing, as a browser that connects ahead, does not hold the server up.
#[test]
fn a_connection_on_which_nothing_was_said_is_dropped() {
    let server = start(Server::new().handshake_timeout(NEVER), echo);
    let mut silent = server.peer();
    settle();
    server.handle.shutdown();
    assert_eq!(silent.until_let_go(), b"");
    server.ended();
}

#[test]
fn a_connection_that_closes_by_itself_keeps_its_code() {
    let server = start(Server::new(), |ws| async move {
        let _ = ws.close(4000, "mine").await;
        Ok(())
    });
    let mut peer = server.upgraded();
    assert_eq!(peer.close_frame(), (4000, "mine".to_owned()));
    server.handle.shutdown();
    peer.write(masked_close(4000, ""));
    peer.finish();
    assert_eq!(peer.rest(), b"", "one Close, no second");
    server.ended();
}

#[test]
fn dropping_serve_keeps_the_open_connections() {
    let listening = block_on(Server::new().bind("127.0.0.1:0")).unwrap();
    let (address, handle) = (listening.local_addr().unwrap(), listening.handle());
    let url = format!("ws://{address}/");
    let mut ws = block_on(async {
        match select(listening.serve(echo).boxed(), connect(&url).boxed()).await {
            Either::Left((served, _)) => panic!("{served:?}"),
            Either::Right((connected, _serving)) => connected.unwrap(),
        }
    });
    assert!(TcpStream::connect(address).is_err());
    send(&ws, "still here");
    assert_eq!(text(&mut ws), "still here");
    assert_eq!(handle.connections(), 1);
    handle.shutdown();
    assert_eq!(ending(&mut ws), gone());
    until(|| handle.connections() == 0);
}

// ---- the drain deadline ----

fn hurried() -> Server {
    Server::new().drain_timeout(LATER)
}

#[test]
fn a_close_that_is_not_answered_is_not_waited_for_any_longer() {
    let server = start(hurried(), drain);
    let mut peer = server.upgraded();
    server.handle.shutdown();
    assert_eq!(peer.close_frame(), gone());
    server.ended();
    // It is let go of; whether that looks like an end or like a reset is the system's affair.
    peer.until_let_go();
}

#[test]
fn a_peer_that_does_not_read_holds_nothing_up() {
    let server = start(hurried(), |ws| async move {
        loop {
            ws.send(vec![0; 64 * KIB]).await?;
        }
    });
    let peer = server.upgraded();
    until(|| server.handle.connections() == 1);
    settle();
    server.stop();
    drop(peer);
}

/// Tells when it is dropped.
struct Tell(mpsc::Sender<&'static str>);

impl Drop for Tell {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

#[test]
fn a_handler_that_is_stuck_is_dropped() {
    let (tell, told) = mpsc::channel();
    let server = start(hurried(), move |ws| {
        let tell = Tell(tell.clone());
        async move {
            let _ws = ws;
            tell.0.send("runs")?;
            let _tell = tell;
            std::future::pending().await
        }
    });
    let mut stuck = server.connect();
    assert_eq!(hear(&told), "runs");
    server.handle.shutdown();
    assert_eq!(ending(&mut stuck), gone());
    let handle = server.handle.clone();
    server.ended();
    assert_eq!(hear(&told), "dropped");
    until(|| handle.connections() == 0);
}
