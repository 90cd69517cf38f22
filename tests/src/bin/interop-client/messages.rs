//! Messages, their fragments, pings.

use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;
use ws_tokio::{Bytes, Message, MessageKind};

use crate::MIB;
use crate::servers::Servers;
use crate::talk::{done, echoes, every_byte, next, next_json, send_fragments};
use crate::verdict::{Failure, ensure, same};

const BEYOND_ASCII: &str = "Grüße, 世界, \u{0} \u{200f} \u{fffd} 🦀";

pub(crate) async fn text(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/echo").await?;
    for length in [5, 125, 126, 65_535, 65_536] {
        echoes(&mut ws, "x".repeat(length)).await?;
    }
    done(ws).await
}

pub(crate) async fn text_beyond_ascii(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/echo").await?;
    echoes(&mut ws, BEYOND_ASCII).await?;
    done(ws).await
}

pub(crate) async fn empty_text(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/echo").await?;
    echoes(&mut ws, "").await?;
    echoes(&mut ws, "still here").await?;
    done(ws).await
}

pub(crate) async fn binary(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/echo").await?;
    echoes(&mut ws, every_byte(1)).await?;
    done(ws).await
}

pub(crate) async fn empty_binary(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/echo").await?;
    echoes(&mut ws, Bytes::new()).await?;
    echoes(&mut ws, b"still here").await?;
    done(ws).await
}

pub(crate) async fn order(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/echo").await?;
    let sender = ws.sender();
    let pouring = tokio::spawn(async move {
        for i in 0..1000 {
            sender.send(format!("message {i}")).await?;
        }
        Ok::<_, ws_tokio::Error>(())
    });
    for i in 0..1000 {
        same(next(&mut ws).await?, format!("message {i}"))?;
    }
    pouring.await??;
    done(ws).await
}

pub(crate) async fn at_once(to: &Servers) -> Result<(), Failure> {
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

pub(crate) async fn fragmented_text_sent(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/echo").await?;
    send_fragments(&ws, ["Grü", "", "ße, ", "🦀"]).await?;
    same(next(&mut ws).await?, "Grüße, 🦀")?;
    send_fragments(&ws, ["", "", ""]).await?;
    same(next(&mut ws).await?, "")?;
    done(ws).await
}

pub(crate) async fn fragmented_binary_sent(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/echo").await?;
    let parts = [Bytes::from_static(&[0]), Bytes::new(), every_byte(1), Bytes::from_static(&[255])];
    let whole = parts.concat();
    send_fragments(&ws, parts).await?;
    same(next(&mut ws).await?, Message::from(whole))?;
    let parts: Vec<Vec<u8>> = (0..1024).map(|i| vec![i as u8; 2]).collect();
    let whole = parts.concat();
    send_fragments(&ws, parts).await?;
    same(next(&mut ws).await?, Message::from(whole))?;
    done(ws).await
}

pub(crate) async fn fragmented_text_received(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/fragments?size=4").await?;
    for text in [BEYOND_ASCII, "", "x"] {
        echoes(&mut ws, text).await?;
    }
    done(ws).await
}

pub(crate) async fn fragmented_binary_received(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/fragments?size=1").await?;
    echoes(&mut ws, every_byte(4)).await?;
    echoes(&mut ws, Bytes::new()).await?;
    done(ws).await
}

pub(crate) async fn streamed(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/echo?streamed").await?;
    let sender = ws.sender();
    let sending = tokio::spawn(async move {
        sender.send_iter(MessageKind::Binary, vec![every_byte(256); 256]).await?;
        sender.send_iter(MessageKind::Text, vec!["é€🦀x"; 100_000]).await
    });
    for (kind, unit, times) in
        [(MessageKind::Binary, every_byte(256), 256), (MessageKind::Text, "é€🦀x".into(), 100_000)]
    {
        let mut message = ws.recv_streaming().await?.ok_or_else(|| Failure("the connection ended".to_owned()))?;
        same(message.kind(), kind)?;
        let mut bytes = 0;
        while let Some(chunk) = message.chunk().await? {
            let is_right = chunk.iter().zip(bytes..).all(|(byte, at)| *byte == unit[at % unit.len()]);
            ensure(is_right, || format!("other bytes after {bytes}"))?;
            bytes += chunk.len();
        }
        same(bytes, unit.len() * times)?;
    }
    sending.await??;
    done(ws).await
}

pub(crate) async fn ping_between_fragments(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/echo").await?;
    ws.send_fragment("before ", false).await?;
    ws.ping().await?;
    ws.send_fragment("after", true).await?;
    same(next(&mut ws).await?, "before after")?;
    done(ws).await
}

pub(crate) async fn big_text(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/echo").await?;
    let unit = "é€🦀x"; // 10 bytes
    echoes(&mut ws, unit.repeat(16 * MIB / 10) + &"x".repeat(16 * MIB % 10)).await?;
    done(ws).await
}

pub(crate) async fn big_binary(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/echo").await?;
    echoes(&mut ws, every_byte(16 * MIB / 256)).await?;
    done(ws).await
}

pub(crate) async fn big_fragments(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/fragments?size=65536").await?;
    let whole = every_byte(16 * MIB / 256);
    let parts: Vec<Bytes> = (0..256).map(|i| whole.slice(i * 65_536..(i + 1) * 65_536)).collect();
    send_fragments(&ws, parts).await?;
    same(next(&mut ws).await?, Message::from(whole))?;
    done(ws).await
}

pub(crate) async fn pings_sent(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/echo").await?;
    let latency = ws.ping().await?.time;
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

pub(crate) async fn pings_received(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.dial("/ping").await?;
    // The server compares the payload of each pong with its ping's before it says so.
    let answer = next_json(&mut ws).await?;
    let latencies: Vec<u64> =
        answer["microseconds"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    let sane = latencies.len() == 3 && latencies.iter().all(|&latency| latency < 5_000_000);
    ensure(sane, || format!("the server says {answer}"))?;
    done(ws).await
}

pub(crate) async fn fragments_counted(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.client("count", "/count")?.connect().await?;
    send_fragments(&ws, ["a", "b", "c"]).await?;
    same(next(&mut ws).await?, "3")?;
    done(ws).await
}
