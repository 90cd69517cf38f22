//! Routes, authentication and hooks that take time, over real sockets. `ws-session` tests their rules.

use std::time::Duration;

use futures_util::future::{Either, pending, select};

use super::super as runtime;
use super::super::adapter::{Credentials, Decision, RequestExt as _, Routes, Token};
use super::setup::*;
use http::Response;

struct Tenant(String);

async fn tell(ws: WebSocket, room: String) -> HandlerResult {
    let tenant = ws.state::<Tenant>().map(|tenant| tenant.0.clone());
    ws.send(format!("{room} {:?} {tenant:?} {:?}", ws.user(), ws.query("tab").as_deref())).await?;
    Ok(())
}

/// A check that waits for the runtime's timer.
async fn check(given: Credentials) -> bool {
    runtime::sleep(Duration::from_millis(20)).await;
    given.are("ann", "secret")
}

async fn user_of(token: Token) -> Result<Option<&'static str>, std::io::Error> {
    runtime::sleep(Duration::from_millis(20)).await;
    match token.as_str() {
        "broken" => Err(std::io::Error::other("the database is gone")),
        _ => Ok(token.is("t0ken").then_some("bob")),
    }
}

#[test]
fn a_request_passes_a_page_credentials_a_hook_and_its_route() {
    let routes = Routes::new().websocket_with("/rooms/{room}", tell);
    let server = Server::new()
        .server_header("tests")
        .on_request(|request| (request.path() == "/health").then(|| Response::new(Bytes::from_static(b"OK\n"))))
        .basic_auth_with("rooms", check)
        .bearer_auth("rooms", user_of)
        .on_request_async(|request| async move {
            runtime::sleep(Duration::from_millis(20)).await;
            Decision::proceed().state(Tenant(request.header("x-tenant").unwrap_or("none").to_owned()))
        })
        .routes(routes)
        .on_response(|_, response| {
            response.headers_mut().insert("x-seen", http::HeaderValue::from_static("1"));
        });
    let listening = block_on(server.bind("127.0.0.1:0")).unwrap();
    let (address, handle) = (listening.local_addr().unwrap(), listening.handle());
    let serving = spawn(listening.serve_routes());
    let url = |path: &str| format!("ws://{address}{path}");

    for (authorization, user) in [("Basic YW5uOnNlY3JldA==", "ann"), ("Bearer t0ken", "bob")] {
        let client = Client::new(url("/rooms/a%20b?tab=1+2")).header("Authorization", authorization);
        let mut ws = block_on(client.header("X-Tenant", "acme").connect()).unwrap();
        assert_eq!(ws.response().headers()["x-seen"], "1");
        assert_eq!(ws.response().headers()["server"], "tests");
        let told = block_on(ws.recv()).unwrap().unwrap();
        assert_eq!(told, format!(r#"a b Some("{user}") Some("acme") Some("1 2")"#));
        assert_eq!(block_on(ws.recv()).unwrap(), None);
    }
    for (path, authorization, status) in [
        ("/rooms/a", "", 401),
        ("/rooms/a", "Basic YW5uOmd1ZXNz", 401),
        ("/rooms/a", "Bearer guess", 401),
        ("/rooms/a", "Bearer broken", 500),
        ("/nowhere", "Bearer t0ken", 404),
        ("/health", "", 200),
    ] {
        let client = Client::new(url(path)).header("Authorization", authorization);
        let error = block_on(client.connect()).unwrap_err();
        let response = error.response().unwrap_or_else(|| panic!("{error}"));
        assert_eq!(response.status().as_u16(), status, "{path} {authorization}");
        assert_eq!(response.headers()["x-seen"], "1");
        assert_eq!(response.headers()["server"], "tests");
        assert_eq!(response.headers().get_all("www-authenticate").iter().count(), if status == 401 { 2 } else { 0 });
    }
    handle.shutdown();
    block_on(serving).unwrap();
}

/// The other ways are those of [`a_request_passes_a_page_credentials_a_hook_and_its_route`].
#[test]
fn a_token_comes_in_a_cookie_a_query_or_the_first_message() {
    let by_request = Server::new().origins_or_none(["https://example.com"]).on_request_async(|request| async move {
        let token = request.query("token").map(Token::new).or_else(|| request.cookie("token").map(Token::new));
        match token.filter(|token| token.is("t0ken")) {
            Some(_) => Decision::proceed().user("ann"),
            None => Decision::reject(http::StatusCode::UNAUTHORIZED, "A token is needed."),
        }
    });
    let server = start(by_request, |ws| async move {
        ws.send(ws.user().unwrap_or("nobody").to_owned()).await?;
        Ok(())
    });
    let page = || server.client().origin("https://example.com");
    let good = [Client::new(server.url("/?a=1&token=t0ken")), page().header("Cookie", "theme=dark; token=t0ken; x=1")];
    for client in good {
        assert_eq!(text(&mut block_on(client.connect()).unwrap()), "ann");
    }
    let bad = [
        (server.client(), 401),
        (Client::new(server.url("/?token=t0kem")), 401),
        (page().header("Cookie", "atoken=t0ken"), 401),
        // A page of another site has the cookie of the browser, too.
        (server.client().origin("https://elsewhere.example").header("Cookie", "token=t0ken"), 403),
    ];
    for (client, status) in bad {
        assert_eq!(block_on(client.connect()).unwrap_err().response().unwrap().status(), status);
    }
    server.stop();

    let server = start(Server::new(), |mut ws: WebSocket| async move {
        let first = match select(Box::pin(ws.recv()), Box::pin(runtime::sleep(SOON))).await {
            Either::Left((first, _)) => first?,
            Either::Right(_) => None,
        };
        let told = first.is_some_and(|first| first.as_text().is_some_and(|token| Token::new(token).is("t0ken")));
        if told {
            ws.send("welcome").await?
        } else {
            drop(ws.close(1008, "no valid token").await?)
        }
        Ok(())
    });
    let mut ws = server.connect();
    send(&ws, "t0ken");
    assert_eq!(text(&mut ws), "welcome");
    for first in [Some(Message::from("t0kem")), Some(Message::from(&b"t0ken"[..])), None] {
        let mut ws = server.connect();
        first.into_iter().for_each(|first| send(&ws, first));
        assert_eq!(ending(&mut ws), (1008, "no valid token".to_owned()));
    }
    server.stop();
}

#[test]
fn a_hook_that_never_ends_is_a_503_at_the_deadline() {
    let server = Server::new()
        .handshake_timeout(SOON)
        .on_request_async(|request| async move {
            match request.path() {
                "/never" => pending().await,
                _ => Decision::proceed(),
            }
        })
        .on_response_async(|request, _| async move {
            match request.path() {
                "/never-answered" => pending().await,
                _ => Decision::proceed(),
            }
        });
    let server = start(server, echo);
    for path in ["/never", "/never-answered"] {
        let error = block_on(connect(server.url(path))).unwrap_err();
        let response = error.response().unwrap_or_else(|| panic!("{path}: {error}"));
        assert_eq!(response.status(), 503, "{path}");
        assert!(response.body().starts_with(b"The server took too long to decide."), "{path}: {response:?}");
    }
    close(server.connect());
    server.stop();
}
