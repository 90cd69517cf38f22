//! Redirects over real sockets. `ws-session` tests what is followed and what is taken along.

use super::setup::*;

/// A server that redirects `/` to this location.
fn redirecting(server: Server, location: String) -> Running {
    let server = server.on_request(move |request| {
        let response = http::Response::builder().status(307).header("location", &location);
        (request.uri().path() == "/").then(|| response.body("".into()).unwrap())
    });
    start(server, echo)
}

#[test]
fn a_redirect_is_followed_to_another_server() {
    let last = start(Server::new(), echo);
    let second = redirecting(Server::new(), last.url("/end").replace("ws:", "http:"));
    let first = redirecting(Server::new(), second.url("/"));
    block_on(async {
        let mut ws = connect(&first.url("/")).await.unwrap();
        assert_eq!((ws.peer_addr(), ws.request().uri().path()), (Some(last.address), "/end"));
        ws.send("there").await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::from("there")));
        ws.close(1000, "").await.unwrap();

        let mut ws = first.client().connect_stream().await.unwrap();
        ws.send("there").await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::from("there")));
        ws.close(1000, "").await.unwrap();
    });
    assert_eq!(block_on(first.client().max_redirects(0).connect()).unwrap_err().response().unwrap().status(), 307);
    for server in [first, second, last] {
        server.stop();
    }
}

#[cfg(feature = "tls")]
#[test]
fn a_redirect_leads_to_tls_and_never_away_from_it() {
    use super::tls::pki::{secure_client, secure_server, secure_url};

    let (server, authority) = secure_server();
    let secure = start(server, echo);
    let plain = redirecting(Server::new(), format!("{}x", secure_url(&secure).replace("wss:", "https:")));
    let ws = block_on(plain.client().ca(authority.pem()).connect()).unwrap();
    assert_eq!(ws.peer_addr(), Some(secure.address));
    close(ws);
    secure.stop();

    let (server, authority) = secure_server();
    let back = redirecting(server, plain.url("/"));
    let error = block_on(secure_client(&back, &authority).connect()).unwrap_err();
    assert!(
        error.to_string().ends_with("(HTTP 307 Temporary Redirect) is not followed: it leads from wss:// to ws://")
    );
    let ConnectError::Redirect(error) = error else { panic!("{error}") };
    assert_eq!(error.failure(), &RedirectFailure::Downgrade);
    back.stop();
    plain.stop();
}
