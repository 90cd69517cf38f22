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

#[cfg(feature = "tls")]
#[test]
fn the_client_certificate_is_not_shown_to_another_origin() {
    use std::sync::mpsc::channel;

    use super::tls::pki::{Authority, secure_client, secure_url, with_client_certificate};

    let authority = Authority::new();
    let (tell, told) = channel();
    let tell = move |name: &'static str| {
        let tell = tell.clone();
        move |request: &http::Request<()>| {
            tell.send((name, request.path().to_owned(), request.tls().unwrap().peer_certificates().len())).unwrap();
        }
    };
    let asking = || ServerTls::new().client_ca(authority.pem()).optional_client_certificates();
    let asking = || authority.identify(asking());
    let second = start(Server::new().tls_with(asking()).on_request(tell("second")), echo);
    let location = secure_url(&second);
    let first = Server::new().tls_with(asking()).on_request(tell("first")).on_request(move |request| {
        let location = if request.path() == "/" { "/again" } else { &*location };
        Some(http::Response::builder().status(307).header("location", location).body("".into()).unwrap())
    });
    let first = start(first, echo);
    for client in with_client_certificate(&authority, secure_client(&first, &authority)) {
        close(block_on(client.connect()).unwrap());
        let told: Vec<_> = (0..3).map(|_| hear(&told)).collect();
        let expected = [("first", "/", 1), ("first", "/again", 1), ("second", "/", 0)];
        assert_eq!(told, expected.map(|(name, path, shown)| (name, path.to_owned(), shown)));
    }
    for server in [first, second] {
        server.stop();
    }
}
