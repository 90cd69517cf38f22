//! The exchanges, with a peer of either role that echoes messages and closes when it is told to.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use ws_tokio::{CloseCode, CloseFrame, Message, Outcome, WebSocket};

use crate::Failure;
use crate::settings::Settings;

const SHORT: Duration = Duration::from_secs(5);

/// An exchange, by its name in the table.
pub(crate) enum Exchange {
    Echo(Vec<Message>),
    Fragments,
    Ping,
    PingBetweenFragments,
    Compression,
    WeClose(CloseFrame),
    TheyClose(CloseFrame),
    /// Nothing but keepalive for a while, then a message.
    Idle,
    /// One side stops, and says so with 1001.
    Shutdown,
    /// The handshake is refused, with a body.
    Refusal,
}

impl Exchange {
    pub(crate) fn parse(name: &str) -> Result<Self, Failure> {
        if let Some(close) = name.strip_prefix("we close ") {
            return Ok(Self::WeClose(close_frame(close)?));
        }
        if let Some(close) = name.strip_prefix("they close ") {
            return Ok(Self::TheyClose(close_frame(close)?));
        }
        Ok(match name {
            "text" => Self::Echo(vec!["Grüße, 世界 🦀".into()]),
            "binary" => Self::Echo(vec![(0..=255).collect::<Vec<u8>>().into()]),
            "empty" => Self::Echo(vec!["".into(), Vec::new().into(), "after them".into()]),
            "70 KB" => Self::Echo(vec!["x".repeat(70_000).into(), vec![7; 70_000].into()]),
            "1 MiB − 1" => Self::Echo(vec![vec![7; (1 << 20) - 1].into(), "x".repeat((1 << 20) - 1).into()]),
            "fragments" => Self::Fragments,
            "Ping" => Self::Ping,
            "Ping between fragments" => Self::PingBetweenFragments,
            "compression" => Self::Compression,
            "idle" => Self::Idle,
            "shutdown" => Self::Shutdown,
            "refusal" => Self::Refusal,
            other => return Err(format!("no exchange is called {other}").into()),
        })
    }

    pub(crate) fn is_compressed(&self) -> bool {
        matches!(self, Self::Compression)
    }

    /// Makes the exchange on a new connection. Returns what was seen that may differ between peers.
    pub(crate) async fn run(self, ws: &mut WebSocket, settings: &Settings) -> Result<String, Failure> {
        let mut seen = String::new();
        // Some lose a message that comes with the 101.
        sleep(settings.seconds("pause", 0.0)?).await;
        match self {
            Self::Echo(messages) => {
                for message in messages {
                    echoes(ws, message).await?;
                }
            }
            Self::Fragments => {
                send_fragments(ws, &["Grüße", ", ", "", "世界"], false).await?;
                same(next(ws).await?, "Grüße, 世界".into())?;
            }
            Self::PingBetweenFragments => {
                send_fragments(ws, &["one ", "two ", "three"], true).await?;
                same(next(ws).await?, "one two three".into())?;
            }
            Self::Ping => {
                for _ in 0..2 {
                    let answer = timeout(SHORT, ws.ping()).await.map_err(|_| "no Pong within 5 s")??;
                    if answer.payload_differed {
                        return Err("a Pong with another payload: RFC 6455 §5.5.3".into());
                    }
                }
                echoes(ws, "after the pings".into()).await?;
            }
            Self::Compression => {
                let extensions = ws.response().headers().get("sec-websocket-extensions");
                let agreed = extensions.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
                if !agreed.contains("permessage-deflate") {
                    return Err("no compression was agreed on".into());
                }
                // The second can look back on the first.
                for _ in 0..2 {
                    echoes(ws, "The quick brown fox. ".repeat(1000).into()).await?;
                }
                send_fragments(ws, &["The quick ", "brown ", "fox. "], false).await?;
                same(next(ws).await?, "The quick brown fox. ".into())?;
                echoes(ws, "".into()).await?;
                seen = agreed;
            }
            Self::WeClose(frame) => {
                echoes(ws, "before the end".into()).await?;
                let close = timeout(SHORT * 3, ws.close(frame.code, &frame.reason));
                let outcome = close.await.map_err(|_| "close() does not end")??;
                return answered(&outcome);
            }
            Self::TheyClose(frame) => {
                ws.send(format!("close {} {}", u16::from(frame.code), frame.reason)).await?;
                let outcome = end(ws).await?;
                return as_expected(&outcome, &frame);
            }
            Self::Idle => {
                sleep(settings.seconds("idle", 3.0)?).await;
                echoes(ws, "after the silence".into()).await?;
            }
            Self::Shutdown => {
                echoes(ws, "before the end".into()).await?;
                println!("open");
                let outcome = end(ws).await?;
                let code = outcome.received.as_ref().map(|frame| u16::from(frame.code));
                return match (code, outcome.sent.as_ref()) {
                    (Some(1001), _) => Ok("1001".to_owned()),
                    (other, _) => Err(format!("the end is {other:?} instead of 1001: {outcome}").into()),
                };
            }
            Self::Refusal => return Err("connected instead of a refusal".into()),
        }
        // Some never answer a Close, which is an exchange of its own.
        let _ = timeout(SHORT, ws.close(CloseCode::NORMAL, "")).await;
        Ok(seen)
    }
}

/// `CODE REASON`, where `empty` is no code and `longest` the longest reason.
fn close_frame(text: &str) -> Result<CloseFrame, Failure> {
    let (code, reason) = match text {
        "empty" => (1005, String::new()),
        "longest reason" => (1000, "é".repeat(61) + "!"),
        code => (code.parse()?, "bye".to_owned()),
    };
    Ok(CloseFrame { code: CloseCode::from(code), reason: reason.into() })
}

/// The peer must answer a Close. It may answer with another code.
pub(crate) fn answered(outcome: &Outcome) -> Result<String, Failure> {
    match &outcome.received {
        Some(frame) if outcome.malformed.is_none() => Ok(match u16::from(frame.code) {
            1005 => "answered without a code".to_owned(),
            code => format!("answered {code}"),
        }),
        Some(frame) => Err(format!("the answer is a malformed Close, with code {}", u16::from(frame.code)).into()),
        None => Err(format!("no Close in answer: {outcome}").into()),
    }
}

fn as_expected(outcome: &Outcome, frame: &CloseFrame) -> Result<String, Failure> {
    match &outcome.received {
        Some(received) if outcome.is_clean() && received == frame => Ok(String::new()),
        Some(received) if outcome.malformed.is_some() => {
            Err(format!("a malformed Close, with code {}", u16::from(received.code)).into())
        }
        Some(received) => {
            let (code, reason) = (u16::from(received.code), &received.reason);
            Err(format!("a Close with {code} {reason:?} instead of {} {:?}", u16::from(frame.code), frame.reason)
                .into())
        }
        None => Err(format!("no Close came: {outcome}").into()),
    }
}

/// The end that the peer brings about.
async fn end(ws: &mut WebSocket) -> Result<Outcome, Failure> {
    // An end with an error is one, too.
    let _ = timeout(SHORT * 3, ws.recv()).await.map_err(|_| "the connection does not end")?;
    Ok(timeout(SHORT, ws.closed()).await.map_err(|_| "the connection does not end")?)
}

async fn echoes(ws: &mut WebSocket, message: Message) -> Result<(), Failure> {
    ws.send(message.clone()).await?;
    same(next(ws).await?, message)
}

async fn next(ws: &mut WebSocket) -> Result<Message, Failure> {
    let received = timeout(SHORT * 3, ws.recv()).await.map_err(|_| "no message within 15 s")??;
    received.ok_or_else(|| "the connection ended instead of a message".into())
}

async fn send_fragments(ws: &mut WebSocket, parts: &[&str], ping: bool) -> Result<(), Failure> {
    for (i, part) in parts.iter().enumerate() {
        ws.send_fragment(*part, i + 1 == parts.len()).await?;
        if ping && i == 0 {
            timeout(SHORT, ws.ping()).await.map_err(|_| "no Pong between fragments within 5 s")??;
        }
    }
    Ok(())
}

fn same(actual: Message, expected: Message) -> Result<(), Failure> {
    if actual == expected {
        return Ok(());
    }
    let kind = |message: &Message| if message.is_text() { "text" } else { "binary" };
    Err(format!(
        "{} of {} bytes came back instead of {} of {}",
        kind(&actual),
        actual.len(),
        kind(&expected),
        expected.len()
    )
    .into())
}
