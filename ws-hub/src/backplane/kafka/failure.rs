//! [`Failure`]: what the client library's errors mean here.

use std::fmt;

use rskafka::BackoffError;
use rskafka::client::error::{Error, ProtocolError, RequestContext, RequestError};

use crate::backplane::{Doubt, PublishError, Refusal};

/// Why a request has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It was certainly not sent, or nobody there could carry it out.
    Unreachable(String),
    /// The connection was lost before the answer.
    ConnectionLost(String),
    /// There was no answer in time.
    TimedOut,
    /// The log has no such offset.
    OutOfRange,
    /// The records are too large for the broker.
    TooLarge(String),
    /// The broker has refused it, for this reason.
    Refused(String),
    /// The broker has failed, and maybe carried it out all the same.
    Failed(String),
}

impl Failure {
    /// Whether the connection is still of use.
    pub(super) fn is_harmless(&self) -> bool {
        matches!(self, Self::TooLarge(_) | Self::Refused(_))
    }

    pub(super) fn to_publish_error(&self) -> PublishError {
        match self {
            Self::Unreachable(_) => PublishError::Refused(Refusal::Unavailable { locally: 0 }),
            Self::TooLarge(reason) | Self::Refused(reason) => PublishError::Refused(Refusal::Broker(reason.clone())),
            Self::ConnectionLost(_) => PublishError::Unknown(Doubt::ConnectionLost),
            Self::TimedOut | Self::OutOfRange | Self::Failed(_) => PublishError::Unknown(Doubt::TimedOut),
        }
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let text = error.to_string();
        match error {
            // The library was told not to retry: there was one error.
            Error::RetryFailed(BackoffError::DeadlineExceded { source, .. }) => {
                source.downcast_ref().map_or(Self::Failed(text), |error: &Error| error.into())
            }
            // Connecting and asking for the leader come before the request itself.
            Error::Connection(_) => Self::Unreachable(text),
            Error::Request(RequestError::NoVersionMatch { .. } | RequestError::WriteError(_)) => Self::Refused(text),
            Error::Request(_) => Self::ConnectionLost(text),
            Error::ServerError { protocol_error, .. } => Self::of_broker(*protocol_error, text),
            Error::Timeout => Self::TimedOut,
            _ => Self::Failed(text),
        }
    }
}

impl Failure {
    /// Why an append has failed. A leader answers like one that has never been it, too, if it appended the records and lost its
    /// place before the other brokers had them.
    pub(super) fn of_append(error: &Error) -> Self {
        match (Self::from(error), answer(error)) {
            (Self::Unreachable(text), Some(_)) => Self::Failed(text),
            (failure, _) => failure,
        }
    }

    fn of_broker(error: ProtocolError, text: String) -> Self {
        use ProtocolError::*;
        match error {
            OffsetOutOfRange => Self::OutOfRange,
            MessageTooLarge | RecordListTooLarge => Self::TooLarge(format!("{error}: max.message.bytes")),
            UnknownTopicOrPartition
            | LeaderNotAvailable
            | NotLeaderOrFollower
            | BrokerNotAvailable
            | ReplicaNotAvailable
            | FencedLeaderEpoch
            | UnknownLeaderEpoch
            | OffsetNotAvailable => Self::Unreachable(text),
            // The broker says these before it appends anything.
            NotEnoughReplicas
            | TopicAuthorizationFailed
            | ClusterAuthorizationFailed
            | InvalidTopicException
            | InvalidRequiredAcks
            | InvalidTimestamp
            | InvalidRecord
            | CorruptMessage
            | UnsupportedForMessageFormat
            | UnsupportedCompressionType
            | PolicyViolation => Self::Refused(error.to_string()),
            _ => Self::Failed(text),
        }
    }
}

/// The broker's answer for a partition, if this is one, and none of the client library's own.
fn answer(error: &Error) -> Option<ProtocolError> {
    match error {
        Error::RetryFailed(BackoffError::DeadlineExceded { source, .. }) => source.downcast_ref().and_then(answer),
        Error::ServerError { protocol_error, request: RequestContext::Partition(..), is_virtual: false, .. } => {
            Some(*protocol_error)
        }
        _ => None,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("no answer in time"),
            Self::OutOfRange => f.write_str("offset out of range"),
            Self::Unreachable(text)
            | Self::ConnectionLost(text)
            | Self::TooLarge(text)
            | Self::Refused(text)
            | Self::Failed(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn server(protocol_error: ProtocolError) -> Error {
        Error::ServerError {
            protocol_error,
            error_message: None,
            request: RequestContext::Partition("t".to_owned(), 0),
            response: None,
            is_virtual: false,
        }
    }

    /// What the client library says before it sends the records.
    fn without_leader() -> Error {
        let mut error = server(ProtocolError::NotLeaderOrFollower);
        if let Error::ServerError { is_virtual, .. } = &mut error {
            *is_virtual = true;
        }
        error
    }

    fn after_no_retry(error: Error) -> Error {
        Error::RetryFailed(BackoffError::DeadlineExceded { deadline: Duration::ZERO, source: Box::new(error) })
    }

    #[test]
    fn only_what_was_certainly_not_published_is_refused() {
        let lost = || Error::Request(RequestError::IO(std::io::ErrorKind::BrokenPipe.into()));
        for (error, is_refused) in [
            (lost(), false),
            (after_no_retry(lost()), false),
            (server(ProtocolError::MessageTooLarge), true),
            (server(ProtocolError::NotEnoughReplicas), true),
            (server(ProtocolError::NotEnoughReplicasAfterAppend), false),
            (server(ProtocolError::RequestTimedOut), false),
            (server(ProtocolError::UnknownServerError), false),
            (server(ProtocolError::KafkaStorageError), false),
            (after_no_retry(without_leader()), true),
            // These can come after the append.
            (after_no_retry(server(ProtocolError::NotLeaderOrFollower)), false),
            (server(ProtocolError::UnknownTopicOrPartition), false),
            (server(ProtocolError::FencedLeaderEpoch), false),
            (Error::InvalidResponse("?".to_owned()), false),
            (Error::Timeout, false),
        ] {
            let failure = Failure::of_append(&error);
            let is_refusal = matches!(failure.to_publish_error(), PublishError::Refused(_));
            assert_eq!(is_refusal, is_refused, "{error}: {failure:?}");
        }
    }
}
