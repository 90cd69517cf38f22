//! Text from a peer forges no log line and controls no terminal. Every error and handle that shows such text.

use std::error::Error as StdError;
use std::fmt::{Debug, Display};
use std::io;

use ws_session::http::{HeaderValue, Response, StatusCode};
use ws_session::{AcceptError, Bytes, ConnectError, Error, Escaped, HandlerError, HandshakeError, Rejection, TlsError};

use crate::sim::*;

const NASTY: &str = "bye\n2026 INFO all is well\r\u{1b}[2K\u{7}\0\u{9b}31m\u{202e}\u{2028}\u{2066}\u{7f}\"";

#[track_caller]
fn shown(what: &str, shown: &(impl Debug + Display)) {
    is_safe(&format!("Display of {what}"), &shown.to_string());
    // A tab is left as it is by `Debug` of a header's value; it steers nothing.
    is_safe(&format!("Debug of {what}"), &format!("{shown:?}").replace('\t', " "));
}

#[track_caller]
fn is_safe(what: &str, shown: &str) {
    let unsafe_ones: Vec<_> = shown.chars().filter(|&c| Escaped(c).is_unsafe()).collect();
    assert!(unsafe_ones.is_empty(), "{what} shows {unsafe_ones:?} in {shown:?}");
}

fn io_error() -> io::Error {
    io::Error::other(NASTY)
}

fn header() -> HeaderValue {
    HeaderValue::from_bytes("a\tb\u{9b}31m\u{202e}".as_bytes()).unwrap()
}

#[test]
fn errors_of_a_client() {
    let response = Response::builder().status(403).header("server", header()).body(Bytes::from(NASTY)).unwrap();
    for error in [
        ConnectError::Io(io_error()),
        ConnectError::Rejected(Box::new(response)),
        ConnectError::Handshake(HandshakeError::SubprotocolNotOffered(header())),
        ConnectError::Tls(TlsError::Refused(NASTY.to_owned())),
    ] {
        shown("ConnectError", &error);
    }
}

#[test]
fn errors_of_a_server() {
    for error in [
        AcceptError::Rejected(Rejection::new(StatusCode::FORBIDDEN, NASTY).with_header("x".parse().unwrap(), header())),
        AcceptError::Tls(TlsError::Other(NASTY.into())),
        AcceptError::Io(io_error()),
    ] {
        shown("AcceptError", &error);
    }
}

#[test]
fn errors_of_tls() {
    for error in [
        TlsError::NameMismatch { expected: NASTY.to_owned(), presented: vec![NASTY.to_owned(), NASTY.to_owned()] },
        TlsError::NameMismatch { expected: NASTY.to_owned(), presented: Vec::new() },
        TlsError::Certificate(NASTY.into()),
        TlsError::Refused(NASTY.to_owned()),
        TlsError::Other(NASTY.into()),
    ] {
        shown("TlsError", &error);
    }
}

#[test]
fn errors_of_handlers() {
    shown("HandlerError", &HandlerError::Failed(NASTY.into()));
    shown("HandlerError", &HandlerError::Panicked(NASTY.to_owned()));
    // The error itself is the application's, and is handed on as it is; its words are not repeated as a cause.
    let HandlerError::Failed(error) = HandlerError::Failed(NASTY.into()) else { unreachable!() };
    assert_eq!(error.to_string(), NASTY);
    assert!(HandlerError::Failed(error).source().is_none());
}

#[test]
fn the_end_of_a_connection() {
    for setup in setups() {
        let world = World::new(1);
        let ended = Log::new();
        let log = ended.clone();
        let running = setup.start(&world, |mut socket| async move {
            let error = socket.recv().await.unwrap_err();
            log.push((error, format!("{socket:?}")));
            Ok(())
        });
        running.peer.send_close(4000, NASTY);
        world.run();
        let (error, socket) = ended.take().remove(0);
        shown("Error", &error);
        let Error::Closed(closed) = &error else { panic!("{error}") };
        shown("Closed", closed);
        shown("Outcome", closed.outcome());
        assert_eq!(closed.outcome().reason(), NASTY, "whoever wants it as it came has it");
        is_safe("Debug of WebSocket", &socket);
    }
}
