//! Errors as programs print them that show what caused what, as `anyhow` does: each thing is said once.

use std::io::ErrorKind;
use std::net::TcpListener;

use ws_test_support::nobody::Nobody;

use super::setup::*;

/// What `{:#}` and `{:?}` print of an error, and of one that an application has put a sentence of its own in front of.
fn said_once(error: impl std::error::Error + Send + Sync + 'static) -> String {
    let error = anyhow::Error::new(error).context("talking to the server");
    let parts: Vec<String> = error.chain().map(ToString::to_string).collect();
    for (n, part) in parts.iter().enumerate() {
        assert!(!part.is_empty(), "{parts:?}");
        for later in &parts[n + 1..] {
            assert!(!part.contains(&**later), "{later:?} is said again: {parts:?}");
        }
    }
    let line = format!("{error:#}");
    assert_eq!(line, parts.join(": "));
    assert!(format!("{error:?}").starts_with("talking to the server\n\nCaused by:\n"));
    line
}

#[test]
fn why_there_is_no_connection() {
    let nobody = Nobody::new();
    let address = nobody.address();
    let error = block_on(connect(&format!("ws://{address}/"))).unwrap_err();
    let refused = error.io_error().unwrap().to_string();
    let said = said_once(error);
    assert_eq!(said.matches(&refused).count(), 1, "{said}");
    for url in ["localhost", "http://", "ws://nowhere.invalid/", "ws://test/#fragment"] {
        said_once(block_on(connect(url)).unwrap_err());
    }
    said_once(block_on(Client::new("ws://test/").header("X Y", "z").connect()).unwrap_err());
    for answer in
        ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.0 101\r\n\r\n", "SSH-2.0\r\n", "HTTP/1.1 101 X\r\nA : b\r\n\r\n", ""]
    {
        let server = Script::new(move |mut peer| {
            peer.head();
            peer.write(answer);
        });
        said_once(block_on(connect(&server.url())).unwrap_err());
        server.done();
    }
}

#[test]
fn why_a_connection_is_an_io_error_too() {
    let nobody = Nobody::new();
    let address = nobody.address();
    let error = std::io::Error::from(block_on(connect(&format!("ws://{address}/"))).unwrap_err());
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert!(error.get_ref().unwrap().is::<ConnectError>());
    said_once(error);
    let error = std::io::Error::from(block_on(connect("localhost")).unwrap_err());
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let (_near, far) = tcp_pair();
    drop(_near);
    let error = block_on(Server::new().accept(Io::new(stream(far)), Addresses::default())).unwrap_err();
    let error = std::io::Error::from(error);
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    assert!(error.get_ref().unwrap().is::<AcceptError>());
}

#[test]
fn why_a_connection_has_ended() {
    let (mut ws, peer) = connected(Client::new("ws://test/"));
    let id = ws.id();
    peer.reset();
    let error = failure(&mut ws);
    let io = error.closed().unwrap().io_error().unwrap().to_string();
    let said = said_once(error.clone());
    assert_eq!(said.matches(&io).count(), 1, "{said}");
    assert!(said.ends_with(&format!(": connection {id}")), "{said}");
    said_once(error.closed().unwrap().clone());
    said_once(std::io::Error::from(error));
    said_once(Error::Closing);
    said_once(Error::Full);
}

#[test]
fn why_a_client_that_was_run_has_failed() {
    let server = start(Server::new(), echo);
    let error = block_on(Client::run(server.client(), |_ws| async {
        let cause = std::io::Error::other("no such file");
        Err(anyhow::Error::new(cause).context("reading the users").into())
    }));
    let said = said_once(error.unwrap_err());
    assert_eq!(said, "talking to the server: reading the users: no such file");
    server.stop();
    let nobody = Nobody::new();
    said_once(block_on(Client::run(&*format!("ws://{}/", nobody.address()), |_ws| async { Ok(()) })).unwrap_err());
}

#[test]
fn why_a_server_does_not_listen() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = block_on(Server::new().bind(taken.local_addr().unwrap())).unwrap_err();
    said_once(error);
    said_once(block_on(Server::new().bind("nowhere.invalid:1")).unwrap_err());
    said_once(block_on(Server::new().header("X Y", "z").bind("127.0.0.1:0")).unwrap_err());
}

#[cfg(feature = "json")]
#[test]
fn why_json_was_not_received() {
    let server = start(Server::new(), echo);
    let mut ws = server.connect();
    block_on(async {
        ws.send("no JSON").await.unwrap();
        said_once(ws.recv_json::<u8>().await.unwrap_err());
        ws.sender().close(1000, "").await.unwrap();
        said_once(ws.send_json(&1).await.unwrap_err());
    });
    server.stop();
}
