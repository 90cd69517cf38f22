//! The code that is run on an input.

mod compressing;
mod endpoint;
mod engine;
mod handshake;
mod inflating;

use std::str::FromStr;

use anyhow::bail;

pub(crate) use self::handshake::REQUEST;

/// What reads an input, how it comes, and in which role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Our inflater on raw DEFLATE, and the two that it is compared with.
    Inflater,
    Zlib,
    ZlibRs,
    /// Our compressor on a payload, at a server's defaults, and zlib's.
    Compressor,
    ZlibCompressor,
    /// The core on frames, with compression at the defaults of its role: in one read or each byte in one of its own, as
    /// messages or as chunks.
    Server,
    ServerBytewise,
    ServerChunks,
    Client,
    /// A handle and its driver on frames, on a server; the handler receives and drops.
    Endpoint,
    /// A server's opening handshake on a request, at once and byte by byte, and a client's on a response.
    Request,
    RequestBytewise,
    Response,
    ResponseBytewise,
}

/// Something that has been prepared, and whose run is counted.
pub(crate) type Job = Box<dyn FnMut()>;

impl Subject {
    pub(crate) const ALL: [(&str, Self); 14] = [
        ("inflater", Self::Inflater),
        ("zlib", Self::Zlib),
        ("zlib-rs", Self::ZlibRs),
        ("compressor", Self::Compressor),
        ("zlib-compressor", Self::ZlibCompressor),
        ("server", Self::Server),
        ("server-bytewise", Self::ServerBytewise),
        ("server-chunks", Self::ServerChunks),
        ("client", Self::Client),
        ("endpoint", Self::Endpoint),
        ("request", Self::Request),
        ("request-bytewise", Self::RequestBytewise),
        ("response", Self::Response),
        ("response-bytewise", Self::ResponseBytewise),
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, subject)| *subject == self).map_or("", |(name, _)| name)
    }

    /// Whether each byte comes in a read of its own.
    pub(crate) fn is_bytewise(self) -> bool {
        matches!(self, Self::ServerBytewise | Self::RequestBytewise | Self::ResponseBytewise)
    }

    /// Everything but what is counted.
    pub(crate) fn prepare(self, input: &[u8]) -> Job {
        match self {
            Self::Inflater => inflating::ours(input),
            Self::Zlib => inflating::zlib(input),
            Self::ZlibRs => inflating::zlib_rs(input),
            Self::Compressor => compressing::ours(input),
            Self::ZlibCompressor => compressing::zlib(input),
            Self::Server => engine::server(input, usize::MAX),
            Self::ServerBytewise => engine::server(input, 1),
            Self::ServerChunks => engine::chunks(input),
            Self::Client => engine::client(input),
            Self::Endpoint => endpoint::frames(input),
            Self::Request => handshake::request(input, usize::MAX),
            Self::RequestBytewise => handshake::request(input, 1),
            Self::Response => handshake::response(input, usize::MAX),
            Self::ResponseBytewise => handshake::response(input, 1),
        }
    }
}

impl FromStr for Subject {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match Self::ALL.iter().find(|(other, _)| *other == name) {
            Some((_, subject)) => Ok(*subject),
            None => bail!("{name:?} is none of {:?}", Self::ALL.map(|(name, _)| name)),
        }
    }
}
