//! How connections end, from either side.

use std::time::Duration;

use tokio::time::timeout;
use ws_tokio::{CloseCode, Config};

use crate::MIB;
use crate::servers::Servers;
use crate::talk::{echoes, fresh_id};
use crate::verdict::{Failure, ensure, same};

pub(crate) async fn we_close(to: &Servers, close: &Close) -> Result<(), Failure> {
    let id = fresh_id();
    let mut ws = to.dial(&format!("/echo?id={id}")).await?;
    echoes(&mut ws, "before the end").await?;
    let outcome = timeout(Duration::from_secs(3), ws.close(close.code, &close.reason)).await??;
    same(outcome.code(), close.code)?;
    ensure(outcome.is_clean(), || format!("not clean: {outcome}"))?;
    same(to.seen(&id).await?, (u16::from(close.code), close.reason.clone()))
}

pub(crate) async fn they_close(to: &Servers, close: &Close) -> Result<(), Failure> {
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

pub(crate) async fn handler_fails(to: &Servers) -> Result<(), Failure> {
    let ws = to.dial("/fail").await?;
    same(ws.closed().await.code(), CloseCode::INTERNAL_ERROR)
}

pub(crate) async fn over_their_limit(to: &Servers) -> Result<(), Failure> {
    let mut ws = to.client("limited", "/echo")?.compression(None).connect().await?;
    echoes(&mut ws, vec![0; MIB]).await?;
    ws.send(vec![0; MIB + 1]).await?;
    let received = ws.recv().await;
    ensure(received.is_err(), || format!("recv gave {received:?}"))?;
    same(ws.closed().await.code(), CloseCode::MESSAGE_TOO_BIG)
}

pub(crate) async fn over_our_limit(to: &Servers) -> Result<(), Failure> {
    let id = fresh_id();
    let path = format!("/send?kind=text&size={}&id={id}", MIB + 1);
    let mut ws = to.client("main", &path)?.config(Config::default()).connect().await?;
    let received = ws.recv().await;
    ensure(received.is_err(), || format!("recv gave {received:?}"))?;
    let outcome = ws.closed().await;
    same(outcome.sent.map(|frame| frame.code), Some(CloseCode::MESSAGE_TOO_BIG))?;
    same(to.seen(&id).await?.0, 1009)
}

pub(crate) async fn shutdown(to: &Servers) -> Result<(), Failure> {
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

pub(crate) struct Close {
    pub(crate) name: &'static str,
    code: CloseCode,
    reason: String,
}

impl Close {
    pub(crate) fn all() -> Vec<Self> {
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
