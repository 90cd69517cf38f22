//! The loops for libraries whose connections are a `Stream` and a `Sink`: as their READMEs have them, and tuned.

use bytes::Bytes;
use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};

use crate::{Form, Topic};

/// How much a tuned sender queues before it flushes.
const BATCH: usize = 64 * 1024;

/// Sends back what comes in: with a flush for each message, or, tuned, with one when the input is exhausted.
pub async fn echo<S, M, E>(mut ws: S, form: Form, is_data: impl Fn(&M) -> bool) -> Result<(), E>
where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
{
    if form != Form::Tuned {
        while let Some(message) = ws.next().await {
            let message = message?;
            if is_data(&message) {
                ws.send(message).await?;
            }
        }
        return Ok(());
    }
    while let Some(first) = ws.next().await {
        let mut next = Some(first);
        while let Some(message) = next {
            let message = message?;
            if is_data(&message) {
                ws.feed(message).await?;
            }
            next = ws.next().now_or_never().flatten();
        }
        ws.flush().await?;
    }
    Ok(())
}

/// [`echo`], tuned, for a connection that flushes whenever it is read: takes what is there first.
pub async fn echo_collected<S, M, E>(mut ws: S, is_data: impl Fn(&M) -> bool) -> Result<(), E>
where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
{
    let mut batch = Vec::with_capacity(64);
    while let Some(first) = ws.next().await {
        let mut next = Some(first);
        while let Some(message) = next {
            let message = message?;
            if is_data(&message) {
                batch.push(message);
            }
            next = if batch.len() < 64 { ws.next().now_or_never().flatten() } else { None };
        }
        for message in batch.drain(..) {
            ws.feed(message).await?;
        }
        ws.flush().await?;
    }
    Ok(())
}

/// Sends every publication: each with a flush, or, tuned, with one for those that are there.
pub async fn deliver<S, M, E>(mut ws: S, form: Form, mut topic: Topic, binary: impl Fn(Bytes) -> M) -> Result<(), E>
where
    S: Sink<M, Error = E> + Unpin,
{
    while let Ok(publication) = topic.recv().await {
        if form != Form::Tuned {
            ws.send(binary(publication)).await?;
            continue;
        }
        ws.feed(binary(publication)).await?;
        while let Ok(publication) = topic.try_recv() {
            ws.feed(binary(publication)).await?;
        }
        ws.flush().await?;
    }
    Ok(())
}

/// Takes what comes.
pub async fn receive<S, M, E>(mut ws: S) -> Result<(), E>
where
    S: Stream<Item = Result<M, E>> + Unpin,
{
    while let Some(message) = ws.next().await {
        message?;
    }
    Ok(())
}

/// Sends `message` over and over: each with a flush, or, tuned, with one for each 64 KiB.
pub async fn send<S, M, E>(mut ws: S, form: Form, message: M, message_size: usize) -> Result<(), E>
where
    M: Clone,
    S: Sink<M, Error = E> + Unpin,
{
    if form != Form::Tuned {
        loop {
            ws.send(message.clone()).await?;
        }
    }
    loop {
        for _ in 0..(BATCH / message_size).max(1) {
            ws.feed(message.clone()).await?;
        }
        ws.flush().await?;
    }
}
