//! Errors of a connection, as those of a stream of bytes.

use std::io;

use ws_proto::Cause;

use crate::error::{Closed, Error};

/// The error of a read.
pub(super) fn read_error(error: Error) -> io::Error {
    io::Error::new(kind(&error), error)
}

/// The error of a write. What a read reports as the end of the data is `BrokenPipe` here.
pub(super) fn write_error(error: Error) -> io::Error {
    let has_ended = match &error {
        Error::Closing => true,
        Error::Closed(closed) => closed.outcome().is_normal() || closed.outcome().cause == Cause::Eof,
        _ => false,
    };
    let kind = if has_ended { io::ErrorKind::BrokenPipe } else { kind(&error) };
    io::Error::new(kind, error)
}

/// The error of a write after the end of writing.
pub(super) fn after_shutdown() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "written after a shutdown of the write side")
}

/// The error of a read after a text message.
pub(super) fn text_refused() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the peer sent a text message on a stream of bytes (accept_text)")
}

fn kind(error: &Error) -> io::ErrorKind {
    let Some(closed) = error.closed() else { return io::ErrorKind::Other };
    if let Some(error) = Closed::io_error(closed) {
        return error.kind();
    }
    match closed.outcome().cause {
        Cause::Eof | Cause::Unanswered => io::ErrorKind::UnexpectedEof,
        Cause::KeepaliveTimeout | Cause::MessageTimeout | Cause::WriteStall | Cause::CloseTimeout => {
            io::ErrorKind::TimedOut
        }
        Cause::Violation(_) => io::ErrorKind::InvalidData,
        Cause::TransportFailed => io::ErrorKind::ConnectionReset,
        _ => io::ErrorKind::ConnectionAborted,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ws_proto::{CloseCode, CloseFrame, Outcome};

    use super::*;
    use crate::error::ClosedSource;

    fn closed(outcome: Outcome, io: Option<io::ErrorKind>) -> Error {
        let io = io.map(|kind| Arc::new(kind.into()));
        Error::Closed(Box::new(Closed { ended: ClosedSource { id: 1 }, outcome, io }))
    }

    #[test]
    fn every_end_has_a_kind() {
        let frame = |code| Some(CloseFrame::new(code, ""));
        let kinds = |error: Error| {
            let (read, write) = (read_error(error.clone()), write_error(error.clone()));
            let inner = read.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
            assert_eq!(inner.map(ToString::to_string), Some(error.to_string()));
            (read.kind(), write.kind())
        };
        use io::ErrorKind::*;
        let ended = |cause| closed(Outcome::new(None, None, cause), None);
        assert_eq!(kinds(ended(Cause::Eof)), (UnexpectedEof, BrokenPipe));
        assert_eq!(kinds(ended(Cause::Unanswered)), (UnexpectedEof, UnexpectedEof));
        for cause in [Cause::KeepaliveTimeout, Cause::MessageTimeout, Cause::WriteStall, Cause::CloseTimeout] {
            assert_eq!(kinds(ended(cause)), (TimedOut, TimedOut));
        }
        assert_eq!(kinds(ended(Cause::Aborted)), (ConnectionAborted, ConnectionAborted));
        let refused = Outcome::new(None, frame(CloseCode::INTERNAL_ERROR), Cause::Peer);
        assert_eq!(kinds(closed(refused, None)), (ConnectionAborted, ConnectionAborted));
        let normal = Outcome::new(frame(CloseCode::NORMAL), frame(CloseCode::NORMAL), Cause::Peer);
        assert_eq!(kinds(closed(normal, None)).1, BrokenPipe);
        let failed = closed(Outcome::new(None, None, Cause::TransportFailed), Some(HostUnreachable));
        assert_eq!(kinds(failed), (HostUnreachable, HostUnreachable));
        assert_eq!(kinds(Error::Closing).1, BrokenPipe);
        assert_eq!(kinds(Error::Full), (Other, Other));
    }
}
