//! The sources of streamed messages: streams, iterators and readers.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;
use ws_proto::Bytes;

use crate::error::BoxError;

/// A source of the pieces of a message.
pub(crate) trait Source {
    /// The next piece, of about `most` bytes if the source can be asked for less than it has. `None` at the end.
    fn poll_piece(self: Pin<&mut Self>, cx: &mut Context<'_>, most: usize) -> Poll<Option<Result<Bytes, BoxError>>>;
}

/// An item of a stream that is sent as a message: bytes or text, or a `Result` of them.
///
/// `K` only tells the compiler which of the two it is, and is inferred.
pub trait StreamItem<K> {
    /// The bytes, or the error that ends the message.
    fn into_piece(self) -> Result<Bytes, BoxError>;
}

/// Marks an item that is bytes or text.
#[derive(Debug)]
pub struct Plain;

/// Marks an item that is a `Result`.
#[derive(Debug)]
pub struct Fallible;

impl<B: Into<Bytes>> StreamItem<Plain> for B {
    fn into_piece(self) -> Result<Bytes, BoxError> {
        Ok(self.into())
    }
}

impl<B: Into<Bytes>, E: Into<BoxError>> StreamItem<Fallible> for Result<B, E> {
    fn into_piece(self) -> Result<Bytes, BoxError> {
        self.map(Into::into).map_err(Into::into)
    }
}

pin_project! {
    /// A stream of pieces.
    pub(crate) struct FromStream<S, K> {
        #[pin]
        pub(crate) stream: S,
        pub(crate) kind: std::marker::PhantomData<fn() -> K>,
    }
}

impl<S: Stream<Item: StreamItem<K>>, K> Source for FromStream<S, K> {
    fn poll_piece(self: Pin<&mut Self>, cx: &mut Context<'_>, _: usize) -> Poll<Option<Result<Bytes, BoxError>>> {
        self.project().stream.poll_next(cx).map(|item| item.map(StreamItem::into_piece))
    }
}

/// An iterator of pieces.
pub(crate) struct FromIter<I>(pub(crate) I);

impl<I> Unpin for FromIter<I> {}

impl<I: Iterator<Item: Into<Bytes>>> Source for FromIter<I> {
    fn poll_piece(self: Pin<&mut Self>, _: &mut Context<'_>, _: usize) -> Poll<Option<Result<Bytes, BoxError>>> {
        Poll::Ready(self.get_mut().0.next().map(|item| Ok(item.into())))
    }
}

/// A reader whose bytes are sent as a message: an `AsyncRead` of tokio (feature `tokio`) or of futures (feature
/// `futures-io`).
///
/// `K` only tells the compiler which of the two it is, and is inferred.
pub trait StreamReader<K> {
    /// Reads up to `most` bytes. They are empty at the end.
    #[doc(hidden)]
    fn poll_bytes(self: Pin<&mut Self>, cx: &mut Context<'_>, most: usize) -> Poll<std::io::Result<Bytes>>;
}

pin_project! {
    /// A reader of pieces.
    pub(crate) struct FromReader<R, K> {
        #[pin]
        pub(crate) reader: R,
        pub(crate) kind: std::marker::PhantomData<fn() -> K>,
    }
}

impl<R: StreamReader<K>, K> Source for FromReader<R, K> {
    fn poll_piece(self: Pin<&mut Self>, cx: &mut Context<'_>, most: usize) -> Poll<Option<Result<Bytes, BoxError>>> {
        self.project().reader.poll_bytes(cx, most).map(|read| match read {
            Ok(bytes) if bytes.is_empty() => None,
            Ok(bytes) => Some(Ok(bytes)),
            Err(error) => Some(Err(error.into())),
        })
    }
}

/// Marks a reader of futures.
#[cfg(feature = "futures-io")]
#[derive(Debug)]
pub struct FuturesIo;

#[cfg(feature = "futures-io")]
impl<R: futures_io::AsyncRead> StreamReader<FuturesIo> for R {
    fn poll_bytes(self: Pin<&mut Self>, cx: &mut Context<'_>, most: usize) -> Poll<std::io::Result<Bytes>> {
        let mut buffer = vec![0; most];
        self.poll_read(cx, &mut buffer).map_ok(|n| {
            buffer.truncate(n);
            fitted(buffer)
        })
    }
}

/// Marks a reader of tokio.
#[cfg(feature = "tokio")]
#[derive(Debug)]
pub struct TokioIo;

#[cfg(feature = "tokio")]
impl<R: tokio::io::AsyncRead> StreamReader<TokioIo> for R {
    fn poll_bytes(self: Pin<&mut Self>, cx: &mut Context<'_>, most: usize) -> Poll<std::io::Result<Bytes>> {
        let mut memory = vec![0; most];
        let mut buffer = tokio::io::ReadBuf::new(&mut memory);
        let n = self.poll_read(cx, &mut buffer).map_ok(|()| buffer.filled().len());
        n.map_ok(|n| {
            memory.truncate(n);
            fitted(memory)
        })
    }
}

/// A short piece keeps no memory beyond its own bytes.
#[cfg(any(feature = "futures-io", feature = "tokio"))]
fn fitted(mut piece: Vec<u8>) -> Bytes {
    if piece.len() < piece.capacity() / 2 {
        piece.shrink_to_fit();
    }
    piece.into()
}
