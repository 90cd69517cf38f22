//! Connections over streams that the adapter has not made, and drivers that a program runs itself.

use std::io::{IoSlice, Result};
use std::task::{Context, Poll};

use super::setup::*;

#[test]
fn accept_takes_a_stream_from_elsewhere() {
    let (near, far) = tcp_pair();
    let accepting = spawn(accept(stream(far)));
    let mut peer = Peer::new(near);
    peer.upgrade("/elsewhere");
    let mut ws = block_on(accepting).unwrap();
    assert_eq!(ws.request().uri().path(), "/elsewhere");
    assert_eq!((ws.peer_addr(), ws.local_addr()), (None, None), "nobody has told it");
    peer.write(masked(0x81, "there"));
    assert_eq!(text(&mut ws), "there");
    send(&ws, "and back");
    assert_eq!(peer.frame(), (0x81, b"and back".to_vec()));
}

#[test]
fn accept_refuses_as_a_server_does() {
    let (near, far) = tcp_pair();
    let accepting = spawn(accept(stream(far)));
    let mut peer = Peer::new(near);
    peer.write(request("/", &[]).replace("13", "8"));
    assert_eq!(peer.reply().status, 426);
    drop(peer);
    assert!(matches!(block_on(accepting), Err(AcceptError::Rejected(_))));
}

#[test]
fn the_caller_supplies_the_addresses_of_its_stream() {
    let (near, far) = tcp_pair();
    let addresses = Addresses::new(far.local_addr().ok(), far.peer_addr().ok());
    let transport = Io::new(stream(far));
    let accepting = spawn(async move { Server::new().accept(transport, addresses).await });
    Peer::new(near).upgrade("/");
    let (ws, _driver) = block_on(accepting).unwrap();
    assert_eq!((ws.local_addr(), ws.peer_addr()), (addresses.local, addresses.peer));
}

#[test]
fn a_driver_ends_with_its_connection() {
    let (near, far) = tcp_pair();
    let transport = Io::new(stream(near));
    let handshake = spawn(Client::new("ws://test/").handshake(transport, Addresses::default()));
    let mut peer = Peer::new(far);
    peer.accept(b"");
    let (ws, driver) = block_on(handshake).unwrap();
    let driving = spawn(driver);
    drop(ws);
    assert_eq!(peer.close_frame(), (1001, String::new()));
    peer.write(frame(0x88, close_body(1001, ""), None));
    peer.finish();
    block_on(driving);
}

#[test]
fn a_client_can_be_run_like_a_handler() {
    let server = start(Server::new(), echo);
    let transport = Io::new(stream(std::net::TcpStream::connect(server.address).unwrap()));
    block_on(async {
        let (mut ws, driver) = Client::new("ws://test/").handshake(transport, Addresses::default()).await.unwrap();
        let handler = async move {
            for n in 0..100 {
                ws.send(n.to_string()).await?;
                assert_eq!(ws.recv().await?, Some(Message::from(n.to_string())));
            }
            Ok(())
        };
        driver.run(handler).await.unwrap();
    });
    server.stop();
}

/// What `Driver::run` makes of a handler, and what the peer hears.
fn run<F>(
    handler: impl FnOnce(WebSocket) -> F + Send + 'static,
) -> (std::result::Result<(), HandlerError>, (u16, String))
where
    F: Future<Output = HandlerResult> + Send + 'static,
{
    let (near, far) = tcp_pair();
    let transport = Io::new(stream(far));
    let running = spawn(async move {
        let (ws, driver) = Server::new().accept(transport, Addresses::default()).await.unwrap();
        driver.run(handler(ws)).await
    });
    let mut peer = Peer::new(near);
    peer.upgrade("/");
    let (code, reason) = peer.close_frame();
    peer.write(masked_close(code, ""));
    peer.finish();
    (block_on(running), (code, reason))
}

#[test]
fn run_tells_that_the_handler_is_done() {
    let (result, heard) = run(|_ws| async { Ok(()) });
    assert_eq!(heard, (1000, String::new()));
    result.unwrap();
}

#[test]
fn run_tells_with_which_error_the_handler_failed() {
    let (result, heard) = run(|_ws| async { Err("on purpose".into()) });
    assert_eq!(heard, (1011, "internal error".to_owned()));
    let error = result.unwrap_err();
    assert!(matches!(&error, HandlerError::Failed(error) if error.to_string() == "on purpose"), "{error:?}");
}

#[test]
fn run_tells_that_the_handler_panicked() {
    let (result, heard) = run(|_ws| async { panic!("on {}", "purpose") });
    assert_eq!(heard, (1011, "internal error".to_owned()));
    let error = result.unwrap_err();
    assert!(matches!(&error, HandlerError::Panicked(says) if says == "on purpose"), "{error:?}");
}

/// A transport that takes and gives at most seven bytes at a time.
struct Sips<T>(T);

impl<T: Transport> Transport for Sips<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize>> {
        let sip = buffer.len().min(7);
        self.0.poll_read(cx, &mut buffer[..sip])
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        let first = buffers.iter().find(|buffer| !buffer.is_empty()).expect("something to write");
        let sip = &first[..first.len().min(7)];
        self.0.poll_write_vectored(cx, &[IoSlice::new(sip)])
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.0.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.0.poll_shutdown(cx)
    }
}

#[test]
fn any_transport_will_do() {
    let (near, far) = tcp_pair();
    let (near, far) = (Sips(Io::new(stream(near))), Sips(Io::new(stream(far))));
    let serving = spawn(async move {
        let (ws, driver) = Server::new().accept(far, Addresses::default()).await.unwrap();
        driver.run(echo(ws)).await
    });
    let mut ws = block_on(async {
        let (ws, driver) = Client::new("ws://test/").handshake(near, Addresses::default()).await.unwrap();
        drop(spawn(driver));
        ws
    });
    let message = Message::from(Random(1).bytes(10_000));
    send(&ws, message.clone());
    assert_eq!(recv(&mut ws), message);
    close(ws);
    block_on(serving).unwrap();
}
