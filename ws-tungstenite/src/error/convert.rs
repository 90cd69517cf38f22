//! Errors of other crates as ours.

use std::string::FromUtf8Error;
use std::{io, str};

use ws_proto::Violation;

use super::{CapacityError, Error, ProtocolError, TlsError, UrlError};
use crate::protocol::frame::coding::Data;

#[cfg(feature = "__rustls-tls")]
impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        Self::Rustls(error.into())
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<TlsError> for Error {
    fn from(error: TlsError) -> Self {
        Self::Tls(error)
    }
}

impl From<CapacityError> for Error {
    fn from(error: CapacityError) -> Self {
        Self::Capacity(error)
    }
}

impl From<ProtocolError> for Error {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

impl From<UrlError> for Error {
    fn from(error: UrlError) -> Self {
        Self::Url(error)
    }
}

impl From<str::Utf8Error> for Error {
    fn from(error: str::Utf8Error) -> Self {
        Self::Utf8(error.to_string())
    }
}

impl From<FromUtf8Error> for Error {
    fn from(error: FromUtf8Error) -> Self {
        Self::Utf8(error.to_string())
    }
}

impl From<Violation> for Error {
    /// The error of the same meaning. The size of a message that is too big is not known here.
    fn from(violation: Violation) -> Self {
        Self::Protocol(match violation {
            Violation::ReservedBits => ProtocolError::NonZeroReservedBits,
            Violation::ReservedOpcode(bits) => ProtocolError::InvalidOpcode(bits),
            Violation::FragmentedControl => ProtocolError::FragmentedControlFrame,
            Violation::ControlTooLong => ProtocolError::ControlFrameTooBig,
            Violation::Unmasked => ProtocolError::UnmaskedFrameFromClient,
            Violation::Masked => ProtocolError::MaskedFrameFromServer,
            Violation::UnexpectedContinuation => ProtocolError::UnexpectedContinueFrame,
            Violation::UnfinishedMessage => ProtocolError::ExpectedFragment(Data::Text),
            Violation::TruncatedCloseCode | Violation::InvalidCloseCode(_) => ProtocolError::InvalidCloseSequence,
            Violation::InvalidUtf8 | Violation::InvalidCloseReason => return Self::Utf8(violation.to_string()),
            Violation::FrameTooBig { limit } | Violation::MessageTooBig { limit } => {
                return Self::Capacity(CapacityError::MessageTooLong { size: usize::MAX, max_size: limit });
            }
            other => return Self::Io(io::Error::new(io::ErrorKind::InvalidData, other)),
        })
    }
}

#[cfg(feature = "handshake")]
mod of_the_handshake {
    use super::{CapacityError, Error, ProtocolError};

    impl From<http::Error> for Error {
        fn from(error: http::Error) -> Self {
            Self::HttpFormat(error)
        }
    }

    impl From<http::header::InvalidHeaderValue> for Error {
        fn from(error: http::header::InvalidHeaderValue) -> Self {
            Self::HttpFormat(error.into())
        }
    }

    impl From<http::header::InvalidHeaderName> for Error {
        fn from(error: http::header::InvalidHeaderName) -> Self {
            Self::HttpFormat(error.into())
        }
    }

    impl From<http::header::ToStrError> for Error {
        fn from(error: http::header::ToStrError) -> Self {
            Self::Utf8(error.to_string())
        }
    }

    impl From<http::uri::InvalidUri> for Error {
        fn from(error: http::uri::InvalidUri) -> Self {
            Self::HttpFormat(error.into())
        }
    }

    impl From<http::status::InvalidStatusCode> for Error {
        fn from(error: http::status::InvalidStatusCode) -> Self {
            Self::HttpFormat(error.into())
        }
    }

    impl From<httparse::Error> for ProtocolError {
        fn from(error: httparse::Error) -> Self {
            Self::HttparseError(error)
        }
    }

    impl From<httparse::Error> for Error {
        fn from(error: httparse::Error) -> Self {
            match error {
                httparse::Error::TooManyHeaders => Self::Capacity(CapacityError::TooManyHeaders),
                error => Self::Protocol(error.into()),
            }
        }
    }
}
