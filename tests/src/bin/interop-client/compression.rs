//! permessage-deflate (RFC 7692): what is agreed on, and what it makes of the bytes on the wire.

use std::ops::Range;

use ws_tokio::http::header;
use ws_tokio::{Bytes, CloseCode, Deflate, Message, WebSocket};

use crate::MIB;
use crate::servers::{Servers, Traffic};
use crate::talk::{done, echoes, every_byte, next, send_fragments};
use crate::verdict::{Failure, ensure, same};

pub(crate) async fn declined(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/echo").await?;
    same(extensions(&ws), "")?;
    ensure(ws.request().headers().contains_key(header::SEC_WEBSOCKET_EXTENSIONS), || "it was not offered".to_owned())?;
    echoes(&mut ws, "x".repeat(2000)).await?;
    echoes(&mut ws, vec![0; 2000]).await?;
    done(ws).await
}

pub(crate) async fn left_alone(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.client("deflate", "/echo")?.compression(None).connect().await?;
    same(extensions(&ws), "")?;
    echoes(&mut ws, "x".repeat(2000)).await?;
    echoes(&mut ws, vec![0; 2000]).await?;
    done(ws).await
}

pub(crate) async fn takeover(to: &Servers) -> Result<(), Failure> {
    let (mut ws, traffic) = to.dial_counted("deflate", "/echo", Deflate::client()).await?;
    let answer = extensions(&ws);
    let agreed = answer.starts_with("permessage-deflate") && !answer.contains("no_context_takeover");
    ensure(agreed, || format!("the answer is {answer}"))?;
    compressed(&mut ws, &traffic, 1..20).await?;
    done(ws).await
}

pub(crate) async fn alone(to: &Servers) -> Result<(), Failure> {
    without_takeover(to, "alone", Deflate::client()).await
}

pub(crate) async fn alone_asked(to: &Servers) -> Result<(), Failure> {
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

pub(crate) async fn small_windows(to: &Servers) -> Result<(), Failure> {
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

pub(crate) async fn big(to: &Servers) -> Result<(), Failure> {
    let (mut ws, traffic) = to.dial_counted("deflate", "/fragments?size=65536", Deflate::client()).await?;
    let whole = every_byte(16 * MIB / 256);
    let parts: Vec<Bytes> = (0..256).map(|i| whole.slice(i * 65_536..(i + 1) * 65_536)).collect();
    send_fragments(&ws, parts).await?;
    same(next(&mut ws).await?, Message::from(whole))?;
    echoes(&mut ws, "é€🦀x".repeat(16 * MIB / 10)).await?;
    let (sent, received) = traffic.bytes();
    ensure(sent.max(received) < 4 * MIB, || format!("{sent} bytes sent, {received} received"))?;
    done(ws).await
}

pub(crate) async fn bomb(to: &Servers) -> Result<(), Failure> {
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
async fn compressed(ws: &mut WebSocket, traffic: &Traffic, percent: Range<usize>) -> Result<(), Failure> {
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
