//! `TokioIo`: what tokio can read and write is a transport.

use std::future::poll_fn;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::common::*;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, duplex};
use ws_tokio::{Addresses, Client, CloseCode, Message, TokioIo, Transport as _};

#[tokio::test]
async fn a_pipe_of_seven_bytes_is_enough() {
    let (near, far) = duplex(7);
    let client = Client::new("ws://test/pipe").handshake(TokioIo::new(near), Addresses::default());
    let (accepted, connected) = in_time(async { tokio::join!(ws_tokio::accept(far), client) }).await;
    let (mut accepted, (mut connected, driver)) = (accepted.unwrap(), connected.unwrap());
    let driver = tokio::spawn(driver);

    connected.send("through a pipe of seven bytes").await.unwrap();
    assert_eq!(in_time(accepted.recv()).await.unwrap(), Some(Message::from("through a pipe of seven bytes")));
    accepted.send("and back").await.unwrap();
    assert_eq!(in_time(connected.recv()).await.unwrap(), Some(Message::from("and back")));

    let closing = connected.close(CloseCode::NORMAL, "bye");
    let (theirs, ours) = in_time(async { tokio::join!(accepted.recv(), closing) }).await;
    assert_eq!(theirs.unwrap(), None);
    assert!(ours.unwrap().is_normal());
    assert_eq!(in_time(accepted.closed()).await.reason(), "bye");
    in_time(driver).await.unwrap();
}

/// Notes what it is asked for.
#[derive(Default)]
struct Recorder {
    calls: Vec<String>,
}

impl Recorder {
    fn note<T>(mut self: Pin<&mut Self>, call: String, result: T) -> Poll<std::io::Result<T>> {
        self.calls.push(call);
        Poll::Ready(Ok(result))
    }
}

impl AsyncRead for Recorder {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        buffer.put_slice(b"read");
        self.note("read".to_owned(), ())
    }
}

impl AsyncWrite for Recorder {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.note(format!("write {}", bytes.len()), bytes.len())
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let lengths: Vec<usize> = buffers.iter().map(|buffer| buffer.len()).collect();
        self.note(format!("write {lengths:?}"), lengths.iter().sum())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.note("flush".to_owned(), ())
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.note("shutdown".to_owned(), ())
    }
}

#[tokio::test]
async fn writes_before_a_flush_go_out_together() {
    let mut io = TokioIo::new(Recorder::default());
    let (head, body) = (IoSlice::new(b"head"), IoSlice::new(b"a body"));
    assert_eq!(poll_fn(|cx| io.poll_write_vectored(cx, &[head, body])).await.unwrap(), 10);
    assert_eq!(poll_fn(|cx| io.poll_write_vectored(cx, &[head])).await.unwrap(), 4);
    poll_fn(|cx| io.poll_flush(cx)).await.unwrap();
    poll_fn(|cx| io.poll_shutdown(cx)).await.unwrap();
    assert_eq!(poll_fn(|cx| io.poll_read(cx, &mut [0; 16])).await.unwrap(), 4);
    assert_eq!(io.into_inner().calls, ["write [4, 6]", "write 4", "flush", "shutdown", "read"]);
}
