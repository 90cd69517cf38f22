//! Four ways of a token: in the query, in a header, in a cookie, and in the first message.
//!
//! Run: `cargo run -p ws-tokio --example auth_token`. For each way it starts a server, connects with a valid token and with
//! another, and ends. With an address (`auth_token 127.0.0.1`) it serves until Ctrl-C, each way at a port of its own, which it
//! prints. `docs/auth.md` compares the ways.

use std::net::IpAddr;
use std::time::Duration;

use ws_tokio::http::StatusCode;
use ws_tokio::{
    BoxError, Client, ConnectError, Decision, HandlerResult, Message, RequestExt as _, Server, Token, WebSocket,
};

/// The user of a token. A real program asks its database here.
async fn user_of(token: Token) -> Result<Option<&'static str>, BoxError> {
    Ok(token.is("token-of-ann").then_some("ann"))
}

/// For a hook: goes on as the user of this token.
async fn authenticate(token: Option<Token>) -> Result<Decision, BoxError> {
    let Some(token) = token else { return Ok(Decision::reject(StatusCode::UNAUTHORIZED, "A token is missing.")) };
    Ok(match user_of(token).await? {
        Some(name) => Decision::proceed().user(name),
        None => Decision::reject(StatusCode::UNAUTHORIZED, "The token is not valid."),
    })
}

/// `ws://…/?token=…`: simple in a browser, but the token is in the logs of proxies. Make it short-lived.
fn by_query() -> Server {
    Server::new().on_request_async(|request| async move { authenticate(request.query("token").map(Token::new)).await })
}

/// `Authorization: Bearer …`: for clients other than browsers, whose scripts cannot set headers.
fn by_header() -> Server {
    Server::new().bearer_auth("example", user_of)
}

/// A cookie: a browser sends it by itself, also for pages of other sites. So check the origin.
fn by_cookie() -> Server {
    Server::new()
        .origins(["https://example.com"])
        .on_request_async(|request| async move { authenticate(request.cookie("token").map(Token::new)).await })
}

/// The handler after any of these.
async fn greet(ws: WebSocket) -> HandlerResult {
    ws.send(format!("Hello {}!", ws.user().unwrap_or("nobody"))).await?;
    Ok(())
}

/// The first message: works everywhere, but anyone can open a connection. So set a short deadline, and a low limit of
/// connections.
async fn greet_after_first_message(mut ws: WebSocket) -> HandlerResult {
    let Ok(first) = tokio::time::timeout(Duration::from_secs(5), ws.recv()).await else {
        ws.close(1008, "no token in time").await?;
        return Ok(());
    };
    let user = match first? {
        Some(Message::Text(token)) => user_of(Token::new(&*token)).await?,
        _ => None,
    };
    let Some(user) = user else {
        ws.close(1008, "the token is not valid").await?;
        return Ok(());
    };
    ws.send(format!("Hello {user}!")).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    if let Some(host) = std::env::args().nth(1).filter(|argument| argument.parse::<IpAddr>().is_ok()) {
        println!("query: Listening at {}", start(&host, by_query(), greet).await?);
        println!("header: Listening at {}", start(&host, by_header(), greet).await?);
        println!("cookie: Listening at {}", start(&host, by_cookie(), greet).await?);
        println!("first message: Listening at {}", start(&host, Server::new(), greet_after_first_message).await?);
        return Ok(tokio::signal::ctrl_c().await?);
    }

    let host = "127.0.0.1";
    let url = start(host, by_query(), greet).await?;
    show("query", Client::new(format!("{url}?token=token-of-ann"))).await?;
    show("query, another token", Client::new(format!("{url}?token=guess"))).await?;

    let url = start(host, by_header(), greet).await?;
    show("header", Client::new(&url).header("Authorization", "Bearer token-of-ann")).await?;
    show("header, another token", Client::new(&url).header("Authorization", "Bearer guess")).await?;

    let url = start(host, by_cookie(), greet).await?;
    let from_page = || Client::new(&url).origin("https://example.com");
    show("cookie", from_page().header("Cookie", "token=token-of-ann")).await?;
    show("cookie, another token", from_page().header("Cookie", "token=guess")).await?;

    let url = start(host, Server::new(), greet_after_first_message).await?;
    for token in ["token-of-ann", "guess"] {
        let mut ws = ws_tokio::connect(&url).await?;
        ws.send(token).await?;
        match ws.recv().await {
            Ok(Some(greeting)) => println!("first message: {greeting}"),
            Ok(None) => return Err("no greeting".into()),
            Err(closed) => println!("first message, another token: {closed}"),
        }
    }
    Ok(())
}

/// Serves on a free port of the host, and returns the URL.
async fn start<H, F>(host: &str, server: Server, handler: H) -> Result<String, BoxError>
where
    H: Fn(WebSocket) -> F + Send + Sync + 'static,
    F: Future<Output = HandlerResult> + Send + 'static,
{
    let listening = server.bind((host, 0)).await?;
    let url = format!("ws://{}/", listening.local_addr()?);
    tokio::spawn(listening.serve(handler));
    Ok(url)
}

/// Connects, and prints the greeting or the refusal.
async fn show(way: &str, client: Client) -> Result<(), BoxError> {
    match client.connect().await {
        Ok(mut ws) => {
            let greeting = ws.recv().await?.ok_or("no greeting")?;
            println!("{way}: {greeting}");
            assert_eq!(greeting, "Hello ann!");
        }
        Err(ConnectError::Rejected(response)) => {
            println!("{way}: {} {}", response.status(), String::from_utf8_lossy(response.body()).trim_end());
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
