//! Routes, authentication and hooks that take time, over real sockets. `ws-session` tests their rules.

use std::time::Duration;

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
