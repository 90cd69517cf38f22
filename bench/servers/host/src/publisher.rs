//! Publications: what the runner writes to a port of their own, in records of one message each, so that taking them in
//! costs every library the same.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::broadcast;

use crate::{Job, LOOPBACK, announce};

/// Where a connection's task waits for publications.
pub type Topic = broadcast::Receiver<Bytes>;

/// What a connection's task gets its [`Topic`] from.
pub type Publisher = broadcast::Sender<Bytes>;

/// A topic for libraries that have none: tokio's broadcast channel.
pub async fn topic(job: &Job) -> io::Result<Publisher> {
    let (sender, _) = broadcast::channel(1024);
    let publisher = sender.clone();
    publications(job, move |message| {
        // Fails only while nobody has subscribed.
        let _ = publisher.send(message);
    })
    .await?;
    Ok(sender)
}

/// Announces a port, and calls `publish` with every publication that comes in there.
pub async fn publications(job: &Job, publish: impl Fn(Bytes) + Send + 'static) -> io::Result<()> {
    let listener = TcpListener::bind(LOOPBACK).await?;
    announce(listener.local_addr()?)?;
    let size = job.message_size;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let mut received = BytesMut::new();
        while stream.read_buf(&mut received).await? > 0 {
            while received.len() >= size {
                publish(received.split_to(size).freeze());
            }
        }
        io::Result::Ok(())
    });
    Ok(())
}
