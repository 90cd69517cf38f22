//! [`Error`] and [`Closed`]: errors of an open connection.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;

use super::BoxError;
use ws_proto::{CloseCode, CloseError, Escaped, Outcome, SendError};

/// The end of a connection: its outcome, and the I/O error if one ended it. Cheap to clone.
#[derive(Clone)]
pub struct Closed {
    pub(crate) ended: ClosedSource,
    pub(crate) outcome: Outcome,
    pub(crate) io: Option<Arc<io::Error>>,
}

impl Closed {
    /// The outcome of the connection.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// The I/O error that ended it, if there was one.
    pub fn io_error(&self) -> Option<&io::Error> {
        self.io.as_deref()
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.io {
            None => write!(f, "{}", self.outcome),
            Some(error) => write!(f, "{} ({})", self.outcome, Escaped(error)),
        }
    }
}

impl fmt::Debug for Closed {
    /// Prints the same sentence as [`Display`](fmt::Display), because Rust prints `Debug` when `main` returns an error.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Closed {
    /// Adds only the connection's ID to the text of `Display`. [`io_error`](Self::io_error) returns the I/O error.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.ended)
    }
}

/// The reason why an operation on a connection failed.
#[derive(Clone)]
#[non_exhaustive]
pub enum Error {
    /// The connection has ended.
    Closed(Box<Closed>),
    /// We are closing the connection, so no more messages can be sent (RFC 6455 §5.5.1).
    Closing,
    /// The outgoing queue is at its cap ([`Limits::hard_cap`](ws_proto::Limits::hard_cap)).
    Full,
    /// Messages were discarded while the application only waited for the end
    /// ([`WebSocket::closed`](crate::WebSocket::closed)). So there is a gap before the next message.
    Skipped,
    /// A fragmented message is being sent, and this is not its next fragment (RFC 6455 §5.4).
    Unfinished,
    /// The close code must not be sent (RFC 6455 §7.4).
    CloseCode(CloseCode),
    /// The source of a streamed message failed, with this error
    /// ([`Sender::send_stream`](crate::Sender::send_stream)).
    Source(Arc<BoxError>),
    /// A streamed text message is not UTF-8 (RFC 6455 §5.6).
    NotUtf8,
}

impl Error {
    /// Whether an error reports that connection `id` has ended or is closing. An error that an application has wrapped is
    /// recognized by its cause.
    pub(crate) fn is_end_of(id: u64, error: &(dyn StdError + 'static)) -> bool {
        let ended = match error.downcast_ref() {
            Some(Self::Closing) => return true,
            Some(Self::Closed(closed)) => Some(&closed.ended),
            Some(_) => None,
            None => error.downcast_ref::<Closed>().map(|closed| &closed.ended).or_else(|| error.downcast_ref()),
        };
        ended.is_some_and(|ended| ended.id == id) || error.is::<ClosingSource>()
    }

    /// The end of the connection, if that is the reason.
    pub fn closed(&self) -> Option<&Closed> {
        match self {
            Self::Closed(closed) => Some(closed),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(closed) => write!(f, "connection closed: {closed}"),
            Self::Closing => f.write_str("the connection is closing"),
            Self::Full => f.write_str("the outgoing queue is at its cap (limits.hard_cap)"),
            Self::Skipped => f.write_str("messages were discarded while the application waited for the end only"),
            Self::Unfinished => f.write_str("a fragmented message is being sent"),
            Self::CloseCode(code) => fmt::Display::fmt(&CloseError(*code), f),
            Self::Source(_) => f.write_str("the source of a streamed message failed"),
            Self::NotUtf8 => f.write_str("the source of a streamed text message is not UTF-8"),
        }
    }
}

impl fmt::Debug for Error {
    /// Prints the same sentence as [`Display`](fmt::Display), because Rust prints `Debug` when `main` returns an error.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Closed(closed) => Some(&closed.ended),
            Self::Closing => Some(&ClosingSource),
            Self::Source(error) => Some(&***error),
            _ => None,
        }
    }
}

/// The cause of [`Error::Closed`], by which that error is recognized inside an application's own error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClosedSource {
    /// The ID of the connection.
    pub(crate) id: u64,
}

impl fmt::Display for ClosedSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {}", self.id)
    }
}

impl StdError for ClosedSource {}

/// The cause of [`Error::Closing`], as [`ClosedSource`] is that of [`Error::Closed`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClosingSource;

impl fmt::Display for ClosingSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing is sent after a Close frame (RFC 6455 §5.5.1)")
    }
}

impl StdError for ClosingSource {}

impl From<Error> for io::Error {
    /// Has the kind of the I/O error that ended the connection, if there was one.
    fn from(error: Error) -> Self {
        let io = error.closed().and_then(Closed::io_error);
        Self::new(io.map_or(io::ErrorKind::Other, io::Error::kind), error)
    }
}

impl From<CloseError> for Error {
    fn from(CloseError(code): CloseError) -> Self {
        Self::CloseCode(code)
    }
}

impl<M> From<SendError<M>> for Error {
    fn from(error: SendError<M>) -> Self {
        match error {
            SendError::Full(_) => Self::Full,
            SendError::Unfinished(_) => Self::Unfinished,
            _ => Self::Closing,
        }
    }
}

#[cfg(test)]
mod tests {
    use ws_proto::Cause;

    use super::*;

    #[test]
    fn an_error_of_the_transport_stays_on_its_line() {
        let outcome = Outcome::new(None, None, Cause::TransportFailed);
        let closed =
            Closed { ended: ClosedSource { id: 1 }, outcome, io: Some(Arc::new(io::Error::other("a\nb\u{1b}[2J"))) };
        assert!(closed.to_string().ends_with(r" (a\nb\x1b[2J)"), "{closed}");
        let error = Error::Closed(Box::new(closed));
        assert!(!error.to_string().contains(char::is_control) && !format!("{error:?}").contains(char::is_control));
    }

    #[test]
    fn an_io_error_keeps_the_kind_and_the_words() {
        let outcome = Outcome::new(None, None, Cause::TransportFailed);
        let closed = Closed {
            ended: ClosedSource { id: 1 },
            outcome,
            io: Some(Arc::new(io::ErrorKind::ConnectionReset.into())),
        };
        let error = Error::Closed(Box::new(closed));
        let told = io::Error::from(error.clone());
        assert_eq!((told.kind(), told.to_string()), (io::ErrorKind::ConnectionReset, error.to_string()));
        assert_eq!(io::Error::from(Error::Full).kind(), io::ErrorKind::Other);
    }

    #[test]
    fn an_error_from_main_is_a_sentence() {
        let outcome = Outcome::new(None, None, Cause::TransportFailed);
        let closed = Closed {
            ended: ClosedSource { id: 1 },
            outcome,
            io: Some(Arc::new(io::ErrorKind::ConnectionReset.into())),
        };
        assert_eq!(format!("{closed:?}"), closed.to_string());
        for error in [
            Error::Closed(Box::new(closed)),
            Error::Closing,
            Error::Full,
            Error::Skipped,
            Error::Unfinished,
            Error::CloseCode(CloseCode::from(1005)),
            Error::Source(Arc::new("x".into())),
            Error::NotUtf8,
        ] {
            let boxed: Box<dyn StdError> = error.clone().into();
            assert_eq!(format!("{boxed:?}"), error.to_string());
        }
    }
}
