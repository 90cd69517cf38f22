//! How connections end as they should not: the peer breaks the rules, or the transport fails.

use std::io::{ErrorKind, IoSlice, Result};
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::thread;

use super::setup::*;

#[test]
fn a_fault_is_answered_and_reported() {
    let (handler, told) = telling();
    let server = start(Server::new(), handler);
    for (bytes, code, violation) in [
        (vec![0xC1, 0x80, 0, 0, 0, 0], 1002, Violation::ReservedBits),
        (vec![0x83, 0x80, 0, 0, 0, 0], 1002, Violation::ReservedOpcode(3)),
        (frame(0x81, "Hello", None), 1002, Violation::Unmasked),
        (masked(0x80, ""), 1002, Violation::UnexpectedContinuation),
        (masked(0x81, b"\xFF"), 1007, Violation::InvalidUtf8),
        (masked(0x88, [0x03]), 1002, Violation::TruncatedCloseCode),
        (masked_close(1006, ""), 1002, Violation::InvalidCloseCode(1006)),
    ] {
        let mut peer = server.upgraded();
        peer.write([masked(0x82, "whole"), bytes].concat());
        assert_eq!(peer.close_frame(), (code, violation.to_string()));
        assert_eq!(peer.rest(), b"");
        let (messages, end) = hear(&told);
        assert_eq!(messages, [Message::from(b"whole")]);
        assert_eq!(outcome(&end.unwrap_err()).cause, Cause::Violation(violation));
    }
    server.stop();
}

#[test]
fn a_servers_fault_is_answered_and_reported() {
    let (mut ws, mut peer) = connected(Client::new("ws://test/"));
    peer.write(masked(0x81, "a server does not mask"));
    assert_eq!(peer.close_frame(), (1002, Violation::Masked.to_string()));
    peer.finish();
    assert_eq!(outcome(&failure(&mut ws)).cause, Cause::Violation(Violation::Masked));
}

#[test]
fn an_error_close_reaches_a_peer_that_has_sent_more() {
    let server = start(Server::new(), drain);
    let mut peer = server.upgraded();
    // The fault is in the first byte; the peer has sent all of this before it looks.
    let mut bytes = vec![0x83];
    bytes.resize(MIB, b'x');
    peer.write(bytes);
    assert_eq!(peer.close_frame().0, 1002);
    peer.finish();
    assert_eq!(peer.rest(), b"", "the end, not a reset");
    server.stop();
}

#[test]
fn an_error_close_reaches_a_peer_that_goes_on_sending() {
    let server = start(Server::new(), drain);
    let mut peer = server.upgraded();
    let mut writing = peer.other_hand();
    let writing = thread::spawn(move || {
        writing.write([0x83]);
        while writing.try_write([b'x'; KIB]).is_ok() {
            thread::yield_now();
        }
    });
    assert_eq!(peer.close_frame().0, 1002);
    server.stop();
    drop(peer);
    writing.join().unwrap();
}

/// A client sends a message far over the server's limit. Whatever the timing, it is told so: the Close is in its socket
/// before the connection breaks.
#[test]
fn a_client_in_the_midst_of_a_huge_message_learns_why_it_is_not_wanted() {
    let server = start(uncompressed(), drain);
    let huge = Bytes::from(pattern(16 * MIB));
    for _ in 0..10 {
        let mut ws = server.connect();
        send(&ws, huge.clone());
        let error = failure(&mut ws);
        assert_eq!(u16::from(outcome(&error).code()), 1009, "{error}");
    }
    server.stop();
}

#[test]
fn a_reset_in_the_midst_of_a_frame() {
    let (handler, told) = telling();
    let server = start(Server::new(), handler);
    let mut peer = server.upgraded();
    peer.write([&masked(0x81, "whole"), &masked(0x89, "read?"), &masked(0x81, "cut off")[..9]].concat());
    // What a reset finds in the receiver's buffer is lost with some systems.
    assert_eq!(peer.frame(), (0x8A, b"read?".to_vec()));
    peer.reset();
    let (messages, end) = hear(&told);
    assert_eq!(messages, [Message::from("whole")]);
    let error = end.unwrap_err();
    assert_eq!(outcome(&error).code(), CloseCode::ABNORMAL);
    assert_eq!(outcome(&error).cause, Cause::TransportFailed);
    let io = error.closed().unwrap().io_error().expect("the I/O error");
    assert_eq!(io.kind(), ErrorKind::ConnectionReset);
    server.stop();
}

#[test]
fn an_end_in_the_midst_of_a_frame() {
    let (handler, told) = telling();
    let server = start(Server::new(), handler);
    let mut peer = server.upgraded();
    peer.write([masked(0x81, "whole"), masked(0x81, "cut off")[..9].to_vec()].concat());
    peer.finish();
    assert_eq!(peer.rest(), b"");
    let (messages, end) = hear(&told);
    assert_eq!(messages, [Message::from("whole")]);
    let error = end.unwrap_err();
    assert_eq!((outcome(&error).code(), &outcome(&error).cause), (CloseCode::ABNORMAL, &Cause::Eof));
    assert!(error.closed().unwrap().io_error().is_none());
    server.stop();
}

#[test]
fn a_client_whose_server_is_gone() {
    let (mut ws, peer) = connected(Client::new("ws://test/"));
    drop(peer);
    let error = failure(&mut ws);
    assert_eq!((outcome(&error).code(), &outcome(&error).cause), (CloseCode::ABNORMAL, &Cause::Eof));
}

#[test]
fn a_client_whose_server_resets() {
    let (mut ws, peer) = connected(Client::new("ws://test/"));
    peer.reset();
    let error = failure(&mut ws);
    assert_eq!(outcome(&error).cause, Cause::TransportFailed);
    assert_eq!(error.closed().unwrap().io_error().expect("the I/O error").kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_busy_handler_keeps_nothing_from_the_end() {
    let (tell, told) = mpsc::channel();
    let (open, gate) = gate();
    let server = start(Server::new(), move |ws| {
        let (tell, gate) = (tell.clone(), gate.clone());
        async move {
            tell.send(ws.sender())?;
            gate.await?;
            assert!(ws.send("nobody is there").await.is_err());
            Ok(())
        }
    });
    let peer = server.upgraded();
    let sender = hear(&told);
    peer.reset();
    assert_eq!(block_on(sender.closed()).cause, Cause::TransportFailed);
    assert_eq!(server.handle.connections(), 1, "until its handler has returned");
    open.send(()).unwrap();
    until(|| server.handle.connections() == 0);
    server.stop();
}

// ---- writes that fail while there is something to read ----

/// What is to be read is there; what is written after the handshake's answer fails.
struct Deaf {
    input: Vec<u8>,
    answered: bool,
}

impl Transport for Deaf {
    fn poll_read(&mut self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize>> {
        // In two pieces: what lies behind the request is still to be read when the first write fails.
        let end = self.input.windows(4).position(|four| four == b"\r\n\r\n").map_or(self.input.len(), |at| at + 4);
        buffer[..end].copy_from_slice(&self.input[..end]);
        self.input.drain(..end);
        Poll::Ready(Ok(end))
    }

    fn poll_write_vectored(&mut self, _: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        if self.answered {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        self.answered = buffers[0].ends_with(b"\r\n\r\n");
        Poll::Ready(Ok(buffers[0].len()))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What comes before the end, and the end, when a write fails and two messages and these bytes are there to be read.
fn deafened(farewell: &[u8]) -> (Vec<Message>, Error) {
    let input = [request("/", &[]).as_bytes(), &masked(0x81, "one"), &masked(0x81, "two"), farewell].concat();
    block_on(async {
        let (mut ws, driver) =
            Server::new().accept(Deaf { input, answered: false }, Addresses::default()).await.unwrap();
        ws.send("this fails").await.unwrap();
        drop(spawn(driver));
        let mut came = Vec::new();
        loop {
            match ws.recv().await {
                Ok(Some(message)) => came.push(message),
                Ok(None) => panic!("the connection did not end as it should"),
                Err(error) => return (came, error),
            }
        }
    })
}

#[test]
fn a_write_that_fails_loses_nothing_that_had_come() {
    let (came, error) = deafened(b"");
    assert_eq!(came, [Message::from("one"), Message::from("two")], "{error}");
    assert_eq!(outcome(&error).code(), CloseCode::ABNORMAL);
    assert_eq!(error.closed().unwrap().io_error().expect("the I/O error").kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_write_that_fails_does_not_hide_a_close_that_had_come() {
    let (came, error) = deafened(&masked_close(4000, "why"));
    assert_eq!(came, [Message::from("one"), Message::from("two")], "{error}");
    assert_eq!((u16::from(outcome(&error).code()), outcome(&error).reason()), (4000, "why"));
}
