//! Authentication: Basic and Bearer, before the handshake.

use std::future::ready;

use ws_session::http::Response;
use ws_session::{BoxError, Bytes, RequestExt, Verdict, WebSocket};
use ws_test_support::opening::request;

use super::*;
use crate::sim::*;

/// `ann:secret`, in Base64.
const ANN: &str = "Authorization: Basic YW5uOnNlY3JldA==";

/// Sends its user's name.
async fn tell(socket: WebSocket) -> HandlerResult {
    socket.send(socket.user().unwrap_or("nobody").to_owned()).await?;
    Ok(())
}

/// The user whom the handler sees, or the status, the challenges and the text of a refusal.
fn user(site: &Site, lines: &[&str]) -> Result<String, (String, Vec<String>, String)> {
    let mut peer = site.connect();
    peer.to.push(request("/", lines).as_bytes());
    site.world.advance(secs(1));
    let head = peer.head();
    if head.starts_with("HTTP/1.1 101 ") {
        let frames = peer.frames();
        return Ok(String::from_utf8(frames[0].1.clone()).unwrap());
    }
    let challenges = head.lines().filter_map(|line| line.strip_prefix("Www-Authenticate: "));
    let challenges = challenges.map(str::to_owned).collect();
    Err((head[9..12].to_owned(), challenges, String::from_utf8(peer.bytes()).unwrap()))
}

#[test]
fn basic_accepts_the_users_of_a_list_and_keeps_the_name() {
    let site =
        Site::new(World::new(1), Server::new().basic_auth("a \"chat\"", [("bob", "hush"), ("ann", "secret")]), tell);
    assert_eq!(user(&site, &[ANN]).unwrap(), "ann");
    assert_eq!(
        user(&site, &["authorization: bASIC  Ym9iOmh1c2g="]).unwrap(),
        "bob",
        "any case, and no more than spaces"
    );
    for (lines, text) in [
        (&[][..], "The request has no credentials. Send an Authorization header (Basic).\n"),
        (&["Authorization: Basic YW5uOmh1c2g="], "The user name or the password is wrong.\n"),
        (&["Authorization: Basic Y2FybDpzZWNyZXQ="], "The user name or the password is wrong.\n"),
        (
            &["Authorization: Basic YW5u"],
            "The credentials in the Authorization header are malformed. Send an Authorization header (Basic).\n",
        ),
        (
            &["Authorization: Bearer x"],
            "The Authorization header has no credentials of a scheme that this server accepts. Send an Authorization header (Basic).\n",
        ),
        (
            &["Authorization: Basic"],
            "The Authorization header has no credentials of a scheme that this server accepts. Send an Authorization header (Basic).\n",
        ),
        (
            &[ANN, ANN],
            "The Authorization header has no credentials of a scheme that this server accepts. Send an Authorization header (Basic).\n",
        ),
    ] {
        let (status, challenges, told) = user(&site, lines).unwrap_err();
        assert_eq!((&*status, &*told), ("401", text), "{lines:?}");
        assert_eq!(challenges, [r#"Basic realm="a \"chat\"", charset="UTF-8""#], "{lines:?}");
    }
}

#[test]
fn the_users_of_each_call_are_accepted() {
    let server = Server::new().basic_auth("chat", [("bob", "hush")]).basic_auth("staff", [("ann", "secret")]);
    let server = server.bearer_auth("chat", |token| ready(token.is("one").then_some("first")));
    let server = server.bearer_auth("staff", |token| ready(token.is("two").then_some("second")));
    let site = Site::new(World::new(1), server, tell);
    for (line, name) in [
        (ANN, "ann"),
        ("Authorization: Basic Ym9iOmh1c2g=", "bob"),
        ("Authorization: Bearer one", "first"),
        ("Authorization: Bearer two", "second"),
    ] {
        assert_eq!(user(&site, &[line]).unwrap(), name);
    }
    let (status, challenges, text) = user(&site, &["Authorization: Basic YW5uOmh1c2g="]).unwrap_err();
    assert_eq!((&*status, &*text), ("401", "The user name or the password is wrong.\n"));
    assert_eq!(challenges.len(), 4, "{challenges:?}");
}

#[test]
fn a_check_may_take_time_or_fail() {
    let server = Server::new().basic_auth_with("chat", |given| async move {
        sleep(millis(500)).await;
        match given.user() {
            "panic" => panic!("secret"),
            "error" => Err(BoxError::from("the database is gone")),
            _ => Ok(given.are("ann", "secret")),
        }
    });
    let site = Site::new(World::new(1), server, tell);
    assert_eq!(user(&site, &[ANN]).unwrap(), "ann");
    assert_eq!(user(&site, &["Authorization: Basic Ym9iOmh1c2g="]).unwrap_err().0, "401");
    for line in ["Authorization: Basic cGFuaWM6", "Authorization: Basic ZXJyb3I6"] {
        let (status, challenges, text) = user(&site, &[line]).unwrap_err();
        assert_eq!((&*status, challenges.len(), &*text), ("500", 0, "The server failed to look at the request.\n"));
    }
}

#[test]
fn bearer_names_the_user_of_a_token() {
    let server = Server::new().bearer_auth("chat", |token| async move {
        match token.as_str() {
            "nameless" => Verdict::from(true),
            _ => token.is("t0ken").then_some("ann").into(),
        }
    });
    let site = Site::new(World::new(1), server, tell);
    assert_eq!(user(&site, &["Authorization: Bearer t0ken"]).unwrap(), "ann");
    assert_eq!(user(&site, &["Authorization: Bearer nameless"]).unwrap(), "nobody");
    let (status, challenges, text) = user(&site, &["Authorization: Bearer t0kem"]).unwrap_err();
    assert_eq!((&*status, &*text), ("401", "The token is not valid, or no longer.\n"));
    assert_eq!(challenges, [r#"Bearer realm="chat", error="invalid_token""#]);
    assert_eq!(user(&site, &[]).unwrap_err().1, [r#"Bearer realm="chat""#], "no error without a token (RFC 6750 §3.1)");
}

#[test]
fn either_scheme_is_accepted_if_both_are_set_and_hooks_before_them_are_asked_first() {
    let server = Server::new()
        .on_request(|request| (request.path() == "/health").then(|| Response::new(Bytes::from_static(b"OK"))))
        .basic_auth("chat", [("ann", "secret")])
        .on_request(|request| (request.path() == "/page").then(|| Response::new(Bytes::from_static(b"page"))))
        .bearer_auth("chat", |token| async move { Ok::<_, BoxError>(token.is("t0ken").then_some("bob")) });
    let site = Site::new(World::new(1), server, tell);
    assert_eq!(user(&site, &[ANN]).unwrap(), "ann");
    assert_eq!(user(&site, &["Authorization: Bearer t0ken"]).unwrap(), "bob");
    let (_, challenges, text) = user(&site, &[]).unwrap_err();
    assert_eq!((challenges.len(), text.contains("Basic or Bearer")), (2, true), "{text}");
    let status = |path: &str, lines: &[&str]| site.ask(request(path, lines).as_bytes()).1[9..12].to_owned();
    assert_eq!([status("/health", &[]), status("/page", &[]), status("/page", &[ANN])], ["200", "401", "200"]);
}

#[test]
fn a_user_name_that_no_client_can_send_is_reported() {
    let server = Server::new().basic_auth("chat", [("ann", "a:b"), ("bob:by", "c")]);
    let error = World::new(1).at_once(server.bind("127.0.0.1:0")).unwrap_err();
    assert_eq!(error.to_string(), "\"bob:by\" is not a user name: it must have no colon");
}

#[test]
fn a_realm_that_is_no_header_is_reported() {
    let error = World::new(1).at_once(Server::new().basic_auth("a\nb", [("a", "b")]).bind("127.0.0.1:0")).unwrap_err();
    assert!(error.to_string().contains("realm"), "{error}");
}
