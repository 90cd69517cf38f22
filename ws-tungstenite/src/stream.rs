//! Streams that block, with TLS or without.

use std::fmt;
use std::io::{IoSlice, Read, Result, Write};
use std::net::TcpStream;

/// Whether a URL asks for TLS.
#[derive(Clone, Copy, Debug)]
pub enum Mode {
    /// `ws://`
    Plain,
    /// `wss://`
    Tls,
}

/// A stream with a delay of small segments (`TCP_NODELAY`).
pub trait NoDelay {
    /// Switches the delay off, or on with `false`.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn set_nodelay(&mut self, nodelay: bool) -> Result<()>;
}

impl NoDelay for TcpStream {
    fn set_nodelay(&mut self, nodelay: bool) -> Result<()> {
        Self::set_nodelay(self, nodelay)
    }
}

#[cfg(feature = "__rustls-tls")]
impl<S, D, T> NoDelay for rustls::StreamOwned<S, T>
where
    S: std::ops::Deref<Target = rustls::ConnectionCommon<D>>,
    D: rustls::SideData,
    T: Read + Write + NoDelay,
{
    fn set_nodelay(&mut self, nodelay: bool) -> Result<()> {
        self.sock.set_nodelay(nodelay)
    }
}

/// A stream with TLS or without.
#[non_exhaustive]
#[cfg_attr(feature = "__rustls-tls", expect(clippy::large_enum_variant, reason = "callers match on the variants"))]
pub enum MaybeTlsStream<S: Read + Write> {
    /// Without TLS.
    Plain(S),
    /// With TLS by rustls.
    #[cfg(feature = "__rustls-tls")]
    Rustls(rustls::StreamOwned<rustls::ClientConnection, S>),
}

impl<S: Read + Write + fmt::Debug> fmt::Debug for MaybeTlsStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(stream) => f.debug_tuple("Plain").field(stream).finish(),
            #[cfg(feature = "__rustls-tls")]
            Self::Rustls(stream) => f.debug_tuple("Rustls").field(&stream.conn).field(&stream.sock).finish(),
        }
    }
}

impl<S: Read + Write> Read for MaybeTlsStream<S> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buf),
            #[cfg(feature = "__rustls-tls")]
            Self::Rustls(stream) => stream.read(buf),
        }
    }
}

impl<S: Read + Write> Write for MaybeTlsStream<S> {
    fn write(&mut self, buf: &[u8]) -> Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(buf),
            #[cfg(feature = "__rustls-tls")]
            Self::Rustls(stream) => stream.write(buf),
        }
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> Result<usize> {
        match self {
            Self::Plain(stream) => stream.write_vectored(bufs),
            #[cfg(feature = "__rustls-tls")]
            Self::Rustls(stream) => stream.write_vectored(bufs),
        }
    }

    fn flush(&mut self) -> Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            #[cfg(feature = "__rustls-tls")]
            Self::Rustls(stream) => stream.flush(),
        }
    }
}

impl<S: Read + Write + NoDelay> NoDelay for MaybeTlsStream<S> {
    fn set_nodelay(&mut self, nodelay: bool) -> Result<()> {
        match self {
            Self::Plain(stream) => stream.set_nodelay(nodelay),
            #[cfg(feature = "__rustls-tls")]
            Self::Rustls(stream) => stream.set_nodelay(nodelay),
        }
    }
}
