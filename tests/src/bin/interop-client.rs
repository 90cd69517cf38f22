//! The interop checks with our client, against the servers of `tests/interop`.
//!
//! usage: `interop-client main=URL limited=URL guarded=URL deflate=URL alone=URL [count=URL] [only=PART-OF-A-NAME]`
//!
//! One line per check: `ok<TAB>name` or `fail<TAB>name<TAB>why`.

use std::collections::HashMap;
use std::fmt::Debug;
use std::future::Future;
use std::io::{self, IoSlice};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use ws_tokio::http::{Response, StatusCode, header};
use ws_tokio::{
    Addresses, Bytes, Client, CloseCode, Config, ConnectError, Deflate, Message, TokioIo, Transport, WebSocket,
};

const MIB: usize = 1 << 20;
const BEYOND_ASCII: &str = "Grüße, 世界, \u{0} \u{200f} \u{fffd} 🦀";

#[tokio::main]
async fn main() -> ExitCode {
    let args = std::env::args().skip(1).filter_map(|arg| {
        let (name, value) = arg.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    });
    let mut run = Run { servers: Servers(args.collect()), failures: 0 };
    let servers = run.servers.clone();
    let to = &servers;

    run.check("text", text(to)).await;
    run.check("text beyond ASCII", text_beyond_ascii(to)).await;
    run.check("empty text", empty_text(to)).await;
    run.check("binary, every byte value", binary(to)).await;
    run.check("empty binary", empty_binary(to)).await;
    run.check("1,000 messages keep their order", order(to)).await;
    run.check("20 connections at once", at_once(to)).await;
    run.check("fragmented text, sent", fragmented_text_sent(to)).await;
    run.check("fragmented binary, sent", fragmented_binary_sent(to)).await;
    run.check("fragmented text, received", fragmented_text_received(to)).await;
    run.check("fragmented binary, received", fragmented_binary_received(to)).await;
    run.check("ping between fragments", ping_between_fragments(to)).await;
    run.check("16 MiB of text", big_text(to)).await;
    run.check("16 MiB of binary", big_binary(to)).await;
    run.check("16 MiB in fragments", big_fragments(to)).await;
    run.check("pings we send are answered", pings_sent(to)).await;
    run.check("pings we get are answered", pings_received(to)).await;
    for close in Close::all() {
        run.check(&format!("we close: {}", close.name), we_close(to, &close)).await;
    }
    for close in Close::all() {
        run.check(&format!("they close: {}", close.name), they_close(to, &close)).await;
    }
    run.check("a failing handler closes with 1011", handler_fails(to)).await;
    run.check("a message over their limit: 1009", over_their_limit(to)).await;
    run.check("a message over our limit: 1009", over_our_limit(to)).await;
    run.check("subprotocol", subprotocol(to)).await;
    run.check("request headers and target arrive", request_arrives(to)).await;
    run.check("response headers are seen", response_headers(to)).await;
    run.check("an Origin not on the list: 403", origin(to)).await;
    run.check("a refusal shows status, headers, body", refusal(to)).await;
    run.check("a page instead of a socket", page(to)).await;
    run.check("compression offered, declined", compression_declined(to)).await;
    run.check("their compression left alone", compression_left_alone(to)).await;
    run.check("compression with context takeover", compression(to)).await;
    run.check("compression without takeover, as they want", compression_alone(to)).await;
    run.check("compression without takeover, as we want", compression_alone_asked(to)).await;
    run.check("compression with the smallest windows", compression_small(to)).await;
    run.check("compression of 16 MiB in fragments", compression_big(to)).await;
    run.check("compressed beyond their limit: 1009", compressed_bomb(to)).await;
    if to.0.contains_key("count") {
        run.check("fragments leave as fragments", fragments_counted(to)).await;
    }
    run.check("their shutdown: 1001", shutdown(to)).await;
    if run.failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn text(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/echo").await?;
    for length in [5, 125, 126, 65_535, 65_536] {
        echoes(&mut ws, "x".repeat(length)).await?;
    }
    done(ws).await
}

async fn text_beyond_ascii(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/echo").await?;
    echoes(&mut ws, BEYOND_ASCII).await?;
    done(ws).await
}

async fn empty_text(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/echo").await?;
    echoes(&mut ws, "").await?;
    echoes(&mut ws, "still here").await?;
    done(ws).await
}

async fn binary(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/echo").await?;
    echoes(&mut ws, every_byte(1)).await?;
    done(ws).await
}

async fn empty_binary(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/echo").await?;
    echoes(&mut ws, Bytes::new()).await?;
    echoes(&mut ws, b"still here").await?;
    done(ws).await
}

async fn order(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/echo").await?;
    let sender = ws.sender();
    let pouring = tokio::spawn(async move {
        for i in 0..1000 {
            sender.send(format!("message {i}")).await?;
        }
        Ok::<_, ws_tokio::Error>(())
    });
    for i in 0..1000 {
        same(next(&mut ws).await?, format!("message {i}").into())?;
    }
    pouring.await??;
    done(ws).await
}

async fn at_once(to: &Servers) -> Result<(), Failure> {
    let mut connections = JoinSet::new();
    for i in 0..20 {
        let to = to.clone();
        connections.spawn(async move {
            let mut ws = to.dial("/echo").await?;
            for j in 0..20 {
                echoes(&mut ws, format!("connection {i}, message {j}")).await?;
            }
            done(ws).await
        });
    }
    while let Some(finished) = connections.join_next().await {
        finished??;
    }
    Ok(())
}

async fn fragmented_text_sent(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/echo").await?;
    send_fragments(&ws, ["Grü", "", "ße, ", "🦀"]).await?;
    same(next(&mut ws).await?, "Grüße, 🦀".into())?;
    send_fragments(&ws, ["", "", ""]).await?;
    same(next(&mut ws).await?, "".into())?;
    done(ws).await
}

async fn fragmented_binary_sent(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/echo").await?;
    let parts = [Bytes::from_static(&[0]), Bytes::new(), every_byte(1), Bytes::from_static(&[255])];
    let whole = parts.concat();
    send_fragments(&ws, parts).await?;
    same(next(&mut ws).await?, whole.into())?;
    let parts: Vec<Vec<u8>> = (0..1024).map(|i| vec![i as u8; 2]).collect();
    let whole = parts.concat();
    send_fragments(&ws, parts).await?;
    same(next(&mut ws).await?, whole.into())?;
    done(ws).await
}

async fn fragmented_text_received(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/fragments?size=4").await?;
    for text in [BEYOND_ASCII, "", "x"] {
        echoes(&mut ws, text).await?;
    }
    done(ws).await
}

async fn fragmented_binary_received(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/fragments?size=1").await?;
    echoes(&mut ws, every_byte(4)).await?;
    echoes(&mut ws, Bytes::new()).await?;
    done(ws).await
}

async fn ping_between_fragments(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/echo").await?;
    ws.send_fragment("before ", false).await?;
    ws.ping().await?;
    ws.send_fragment("after", true).await?;
    same(next(&mut ws).await?, "before after".into())?;
    done(ws).await
}

async fn big_text(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/echo").await?;
    let unit = "é€🦀x"; // 10 bytes
    echoes(&mut ws, unit.repeat(16 * MIB / 10) + &"x".repeat(16 * MIB % 10)).await?;
    done(ws).await
}

async fn big_binary(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/echo").await?;
    echoes(&mut ws, every_byte(16 * MIB / 256)).await?;
    done(ws).await
}

async fn big_fragments(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/fragments?size=65536").await?;
    let whole = every_byte(16 * MIB / 256);
    let parts: Vec<Bytes> = (0..256).map(|i| whole.slice(i * 65_536..(i + 1) * 65_536)).collect();
    send_fragments(&ws, parts).await?;
    same(next(&mut ws).await?, whole.into())?;
    done(ws).await
}

async fn pings_sent(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/echo").await?;
    let latency = ws.ping().await?;
    ensure(!latency.is_zero() && latency < Duration::from_secs(5), || format!("a latency of {latency:?}"))?;
    let mut pings = JoinSet::new();
    for _ in 0..10 {
        let sender = ws.sender();
        pings.spawn(async move { sender.ping().await });
    }
    while let Some(answered) = pings.join_next().await {
        answered??;
    }
    echoes(&mut ws, "still here").await?;
    done(ws).await
}

async fn pings_received(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/ping").await?;
    // The server compares the payload of each pong with its ping's before it says so.
    let answer = next_json(&mut ws).await?;
    let latencies: Vec<u64> =
        answer["microseconds"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    let sane = latencies.len() == 3 && latencies.iter().all(|&latency| latency < 5_000_000);
    ensure(sane, || format!("the server says {answer}"))?;
    done(ws).await
}

async fn we_close(to: &Servers, close: &Close) -> Result<(), Failure> {
    let id = fresh_id();
    let mut ws = to.dial(&format!("/echo?id={id}")).await?;
    echoes(&mut ws, "before the end").await?;
    let outcome = timeout(Duration::from_secs(3), ws.close(close.code, &close.reason)).await??;
    same(outcome.code(), close.code)?;
    ensure(outcome.is_clean(), || format!("not clean: {outcome}"))?;
    same(to.seen(&id).await?, (u16::from(close.code), close.reason.clone()))
}

async fn they_close(to: &Servers, close: &Close) -> Result<(), Failure> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if close.code != CloseCode::NO_STATUS {
        query.append_pair("code", &u16::from(close.code).to_string()).append_pair("reason", &close.reason);
    }
    let mut ws = to.dial(&format!("/close?{}", query.finish())).await?;
    let received = ws.recv().await;
    let outcome = timeout(Duration::from_secs(3), ws.closed()).await?;
    same((outcome.code(), outcome.reason()), (close.code, close.reason.as_str()))?;
    ensure(outcome.is_clean(), || format!("not clean: {outcome}"))?;
    // 1000, 1001 and no code at all are normal ends, the others are for the application to hear about.
    let quiet = matches!(received, Ok(None));
    ensure(quiet == close.code.is_normal(), || format!("recv gave {received:?}"))
}

async fn handler_fails(to: &Servers) -> Result<(), Failure> {
    let ws = to.dial("/fail").await?;
    same(ws.closed().await.code(), CloseCode::INTERNAL_ERROR)
}

async fn over_their_limit(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.client("limited", "/echo")?.compression(None).connect().await?;
    echoes(&mut ws, vec![0; MIB]).await?;
    ws.send(vec![0; MIB + 1]).await?;
    let received = ws.recv().await;
    ensure(received.is_err(), || format!("recv gave {received:?}"))?;
    same(ws.closed().await.code(), CloseCode::MESSAGE_TOO_BIG)
}

async fn over_our_limit(to: &Servers) -> Result<(), Failure> {
    let id = fresh_id();
    let path = format!("/send?kind=text&size={}&id={id}", MIB + 1);
    let mut ws = to.client("main", &path)?.config(Config::default()).connect().await?;
    let received = ws.recv().await;
    ensure(received.is_err(), || format!("recv gave {received:?}"))?;
    let outcome = ws.closed().await;
    same(outcome.sent.map(|frame| frame.code), Some(CloseCode::MESSAGE_TOO_BIG))?;
    same(to.seen(&id).await?.0, 1009)
}

async fn subprotocol(to: &Servers) -> Result<(), Failure> {
    for (offered, chosen) in [(["unknown", "chat.v1"], "chat.v1"), (["chat.v1", "chat.v2"], "chat.v2")] {
        let client = to.client("guarded", "/request")?.origin("https://allowed.example");
        let mut ws = client.subprotocols(offered).connect().await?;
        same(ws.subprotocol(), Some(chosen))?;
        same(next_json(&mut ws).await?["subprotocol"].as_str(), Some(chosen))?;
        done(ws).await?;
    }
    Ok(())
}

async fn request_arrives(to: &Servers) -> Result<(), Failure> {
    let path = "/request?a=b%20c&d=%C3%A9";
    let mut ws = to.client("main", path)?.header("X-Interop", "from the client").connect().await?;
    let request = next_json(&mut ws).await?;
    same(request["target"].as_str(), Some(path))?;
    same(request["headers"]["x-interop"].as_str(), Some("from the client"))?;
    same(request["headers"]["host"].as_str(), to.url("main")?.strip_prefix("ws://"))?;
    done(ws).await
}

async fn response_headers(to: &Servers) -> Result<(), Failure> {
    let ws = to.dial("/echo").await?;
    same(ws.response().status(), StatusCode::SWITCHING_PROTOCOLS)?;
    let served_by = ws.response().headers().get("x-served-by");
    ensure(served_by.is_some_and(|name| name == "websockets" || name == "ws"), || {
        format!("X-Served-By is {served_by:?}")
    })?;
    done(ws).await
}

async fn origin(to: &Servers) -> Result<(), Failure> {
    let client = |origin| Ok::<_, Failure>(to.client("guarded", "/echo")?.subprotocols(["chat.v1"]).origin(origin));
    refused(client("https://evil.example")?, StatusCode::FORBIDDEN).await?;
    let mut ws = client("https://allowed.example")?.connect().await?;
    echoes(&mut ws, "welcome").await?;
    done(ws).await
}

async fn refusal(to: &Servers) -> Result<(), Failure> {
    let response = refused(to.client("main", "/refuse")?, StatusCode::UNAUTHORIZED).await?;
    let challenge = response.headers().get(header::WWW_AUTHENTICATE);
    same(challenge.and_then(|value| value.to_str().ok()), Some("Basic realm=\"interop\""))?;
    same(response.body().as_ref(), b"no entry\n")?;
    refused(to.client("main", "/nowhere")?, StatusCode::NOT_FOUND).await?;
    Ok(())
}

async fn page(to: &Servers) -> Result<(), Failure> {
    let response = refused(to.client("main", "/page")?, StatusCode::OK).await?;
    let body = String::from_utf8_lossy(response.body());
    ensure(body.contains("<title>interop</title>"), || format!("the page is {body:?}"))
}

async fn compression_declined(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/echo").await?;
    same(extensions(&ws), "")?;
    ensure(ws.request().headers().contains_key(header::SEC_WEBSOCKET_EXTENSIONS), || "it was not offered".to_owned())?;
    echoes(&mut ws, "x".repeat(2000)).await?;
    echoes(&mut ws, vec![0; 2000]).await?;
    done(ws).await
}

async fn compression_left_alone(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.client("deflate", "/echo")?.compression(None).connect().await?;
    same(extensions(&ws), "")?;
    echoes(&mut ws, "x".repeat(2000)).await?;
    echoes(&mut ws, vec![0; 2000]).await?;
    done(ws).await
}

async fn compression(to: &Servers) -> Result<(), Failure> {
    let (mut ws, traffic) = to.dial_counted("deflate", "/echo", Deflate::client()).await?;
    let answer = extensions(&ws);
    let agreed = answer.starts_with("permessage-deflate") && !answer.contains("no_context_takeover");
    ensure(agreed, || format!("the answer is {answer}"))?;
    compressed(&mut ws, &traffic, 1..20).await?;
    done(ws).await
}

async fn compression_alone(to: &Servers) -> Result<(), Failure> {
    without_takeover(to, "alone", Deflate::client()).await
}

async fn compression_alone_asked(to: &Servers) -> Result<(), Failure> {
    let mut deflate = Deflate::client();
    deflate.send_context_takeover = false;
    deflate.receive_context_takeover = false;
    without_takeover(to, "deflate", deflate).await
}

async fn without_takeover(to: &Servers, listener: &str, deflate: Deflate) -> Result<(), Failure> {
    let (mut ws, traffic) = to.dial_counted(listener, "/echo", deflate).await?;
    let answer = extensions(&ws);
    for parameter in ["server_no_context_takeover", "client_no_context_takeover"] {
        ensure(answer.contains(parameter), || format!("the answer is {answer}"))?;
    }
    compressed(&mut ws, &traffic, 40..80).await?;
    done(ws).await
}

async fn compression_small(to: &Servers) -> Result<(), Failure> {
    let mut deflate = Deflate::client();
    // zlib, which the others use, knows no window of 8 bits.
    deflate.send_window_bits = 9;
    deflate.receive_window_bits = 9;
    let (mut ws, traffic) = to.dial_counted("deflate", "/echo", deflate).await?;
    let answer = extensions(&ws);
    ensure(answer.replace(' ', "").contains("server_max_window_bits=9"), || format!("the answer is {answer}"))?;
    // A window shorter than a message: nothing to look back on.
    compressed(&mut ws, &traffic, 40..80).await?;
    done(ws).await
}

async fn compression_big(to: &Servers) -> Result<(), Failure> {
    let (mut ws, traffic) = to.dial_counted("deflate", "/fragments?size=65536", Deflate::client()).await?;
    let whole = every_byte(16 * MIB / 256);
    let parts: Vec<Bytes> = (0..256).map(|i| whole.slice(i * 65_536..(i + 1) * 65_536)).collect();
    send_fragments(&ws, parts).await?;
    same(next(&mut ws).await?, whole.into())?;
    echoes(&mut ws, "é€🦀x".repeat(16 * MIB / 10)).await?;
    let (sent, received) = traffic.bytes();
    ensure(sent.max(received) < 4 * MIB, || format!("{sent} bytes sent, {received} received"))?;
    done(ws).await
}

async fn compressed_bomb(to: &Servers) -> Result<(), Failure> {
    let (mut ws, traffic) = to.dial_counted("limited", "/echo", Deflate::client()).await?;
    ensure(extensions(&ws).starts_with("permessage-deflate"), || "it was declined".to_owned())?;
    echoes(&mut ws, vec![0; MIB]).await?;
    ws.send(vec![0; MIB + 1]).await?;
    let received = ws.recv().await;
    ensure(received.is_err(), || format!("recv gave {received:?}"))?;
    same(ws.closed().await.code(), CloseCode::MESSAGE_TOO_BIG)?;
    let (sent, _) = traffic.bytes();
    ensure(sent < MIB / 10, || format!("{sent} bytes sent"))
}

/// Echoes messages that are much alike; their share of bytes on the wire, in percent, must be within, each way.
async fn compressed(ws: &mut WebSocket, traffic: &Traffic, percent: std::ops::Range<usize>) -> Result<(), Failure> {
    let (sent, received) = traffic.bytes();
    let mut plain = 0;
    for i in 0..10 {
        let message = format!("{} {i}", noise());
        plain += 2 * message.len();
        echoes(ws, message.clone()).await?;
        echoes(ws, message.into_bytes()).await?;
    }
    let now = traffic.bytes();
    for (way, bytes) in [("sent", now.0 - sent), ("received", now.1 - received)] {
        let share = bytes * 100 / plain;
        ensure(percent.contains(&share), || format!("{share} % of the bytes {way}, expected {percent:?}"))?;
    }
    Ok(())
}

/// 2 KiB that a compressor makes about half of, unless it has seen them before.
fn noise() -> String {
    let next = |state: &u32| Some(state * 75 % 65_537);
    let states = std::iter::successors(Some(75), next).take(2048);
    states.filter_map(|state| char::from_digit(state >> 8 & 15, 16)).collect()
}

/// What the server agreed to.
fn extensions(ws: &WebSocket) -> String {
    let values = ws.response().headers().get_all(header::SEC_WEBSOCKET_EXTENSIONS);
    values.iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect::<Vec<_>>().join(", ")
}

async fn fragments_counted(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.client("count", "/count")?.connect().await?;
    send_fragments(&ws, ["a", "b", "c"]).await?;
    same(next(&mut ws).await?, "3".into())?;
    done(ws).await
}

async fn shutdown(to: &Servers) -> Result<(), Failure> {
    let mut bystander = to.dial("/echo").await?;
    echoes(&mut bystander, "nothing to see here").await?;
    let mut ws = to.dial("/shutdown").await?;
    for ws in [&mut ws, &mut bystander] {
        let received = ws.recv().await;
        ensure(matches!(received, Ok(None)), || format!("recv gave {received:?}"))?;
        same(ws.closed().await.code(), CloseCode::GOING_AWAY)?;
    }
    Ok(())
}

/// Where the servers listen, by name.
#[derive(Clone)]
struct Servers(HashMap<String, String>);

impl Servers {
    fn url(&self, name: &str) -> Result<&str, Failure> {
        self.0.get(name).map(String::as_str).ok_or_else(|| Failure(format!("no URL for {name}")))
    }

    fn client(&self, name: &str, path: &str) -> Result<Client, Failure> {
        let mut roomy = Config::default();
        roomy.limits.message = Some(32 * MIB);
        roomy.limits.frame = Some(32 * MIB);
        Ok(Client::new(&format!("{}{path}", self.url(name)?)).config(roomy))
    }

    async fn dial(&self, path: &str) -> Result<WebSocket, Failure> {
        Ok(self.client("main", path)?.connect().await?)
    }

    /// With compression, and the bytes on the wire counted.
    async fn dial_counted(
        &self,
        listener: &str,
        path: &str,
        deflate: Deflate,
    ) -> Result<(WebSocket, Arc<Traffic>), Failure> {
        let address = self.url(listener)?.trim_start_matches("ws://");
        let traffic = Arc::new(Traffic::default());
        let stream = Counted { io: TokioIo::new(TcpStream::connect(address).await?), traffic: Arc::clone(&traffic) };
        let client = self.client(listener, path)?.compression(Some(deflate));
        let (ws, driver) = client.handshake(stream, Addresses::default()).await?;
        tokio::spawn(driver);
        Ok((ws, traffic))
    }

    /// How the server saw connection `id` end.
    async fn seen(&self, id: &str) -> Result<(u16, String), Failure> {
        let mut ws = self.dial(&format!("/seen?id={id}")).await?;
        let ending = next_json(&mut ws).await?;
        done(ws).await?;
        let code = ending["code"].as_u64().and_then(|code| u16::try_from(code).ok());
        match (code, ending["reason"].as_str()) {
            (Some(code), Some(reason)) => Ok((code, reason.to_owned())),
            _ => Err(Failure(format!("the server says {ending}"))),
        }
    }
}

/// Bytes sent and received.
#[derive(Default)]
struct Traffic {
    sent: AtomicUsize,
    received: AtomicUsize,
}

impl Traffic {
    fn bytes(&self) -> (usize, usize) {
        (self.sent.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed))
    }
}

struct Counted {
    io: TokioIo<TcpStream>,
    traffic: Arc<Traffic>,
}

impl Transport for Counted {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let polled = self.io.poll_read(cx, buffer);
        count(&self.traffic.received, &polled);
        polled
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let polled = self.io.poll_write_vectored(cx, buffers);
        count(&self.traffic.sent, &polled);
        polled
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_shutdown(cx)
    }
}

fn count(counter: &AtomicUsize, polled: &Poll<io::Result<usize>>) {
    if let Poll::Ready(Ok(bytes)) = polled {
        counter.fetch_add(*bytes, Ordering::Relaxed);
    }
}

struct Close {
    name: &'static str,
    code: CloseCode,
    reason: String,
}

impl Close {
    fn all() -> Vec<Self> {
        let close = |name, code: u16, reason: &str| Self { name, code: code.into(), reason: reason.to_owned() };
        vec![
            close("1000", 1000, "done"),
            close("1001", 1001, "leaving"),
            close("3000", 3000, "registered"),
            close("4999", 4999, "Schluß 🦀"),
            // 123 bytes, the longest reason a Close can carry.
            close("1000, longest reason", 1000, &("é".repeat(61) + "!")),
            close("no code", 1005, ""),
        ]
    }
}

struct Run {
    servers: Servers,
    failures: u32,
}

impl Run {
    async fn check(&mut self, name: &str, body: impl Future<Output = Result<(), Failure>>) {
        if self.servers.0.get("only").is_some_and(|only| !name.contains(only)) {
            return;
        }
        let verdict = timeout(Duration::from_secs(30), body).await;
        match verdict.unwrap_or_else(|_| Err(Failure("nothing for 30 s".to_owned()))) {
            Ok(()) => println!("ok\t{name}"),
            Err(Failure(why)) => {
                self.failures += 1;
                println!("fail\t{name}\t{}", why.split_whitespace().collect::<Vec<_>>().join(" "));
            }
        }
    }
}

/// Why a check failed.
struct Failure(String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut why = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            why += &format!(": {cause}");
            source = cause.source();
        }
        Self(why)
    }
}

async fn refused(client: Client, status: StatusCode) -> Result<Response<Bytes>, Failure> {
    match client.connect().await {
        Err(ConnectError::Rejected(response)) => {
            same(response.status(), status)?;
            Ok(*response)
        }
        Err(other) => Err(other.into()),
        Ok(_) => Err(Failure(format!("connected instead of {status}"))),
    }
}

async fn echoes(ws: &mut WebSocket, message: impl Into<Message>) -> Result<(), Failure> {
    let message = message.into();
    ws.send(message.clone()).await?;
    same(next(ws).await?, message)
}

async fn send_fragments<M: Into<Message>>(
    ws: &WebSocket,
    parts: impl IntoIterator<Item = M, IntoIter: ExactSizeIterator>,
) -> Result<(), Failure> {
    let parts = parts.into_iter();
    let last = parts.len() - 1;
    for (i, part) in parts.enumerate() {
        ws.send_fragment(part, i == last).await?;
    }
    Ok(())
}

async fn next(ws: &mut WebSocket) -> Result<Message, Failure> {
    ws.recv().await?.ok_or_else(|| Failure("the connection ended instead of a message".to_owned()))
}

async fn next_json(ws: &mut WebSocket) -> Result<Value, Failure> {
    Ok(serde_json::from_slice(next(ws).await?.as_bytes())?)
}

/// Closes cleanly; it must not linger.
async fn done(ws: WebSocket) -> Result<(), Failure> {
    let outcome = timeout(Duration::from_secs(3), ws.close(CloseCode::NORMAL, "")).await??;
    ensure(outcome.is_clean(), || format!("not clean: {outcome}"))
}

fn same<T: Debug + PartialEq<U>, U: Debug>(actual: T, expected: U) -> Result<(), Failure> {
    ensure(actual == expected, || format!("got {}, expected {}", brief(&actual), brief(&expected)))
}

fn ensure(condition: bool, why: impl FnOnce() -> String) -> Result<(), Failure> {
    if condition { Ok(()) } else { Err(Failure(why())) }
}

fn brief(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn every_byte(times: usize) -> Bytes {
    (0..=255).collect::<Vec<u8>>().repeat(times).into()
}

fn fresh_id() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("ours-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
