//! Texts for people: every close code, cause, fault and error, and the values that `Debug` output omits.

use std::error::Error as _;

use ws_proto::{
    Cause, CloseCode, CloseError, CloseFrame, Config, Connection, Outcome, SendError, Timestamp, Violation,
};

#[test]
fn close_codes() {
    for (code, words) in [
        (1000, "1000 (OK)"),
        (1001, "1001 (going away)"),
        (1002, "1002 (protocol error)"),
        (1003, "1003 (unsupported data)"),
        (1004, "1004"),
        (1005, "1005 (no status received [internal])"),
        (1006, "1006 (abnormal closure [internal])"),
        (1007, "1007 (invalid frame payload data)"),
        (1008, "1008 (policy violation)"),
        (1009, "1009 (message too big)"),
        (1010, "1010 (mandatory extension)"),
        (1011, "1011 (internal error)"),
        (1012, "1012 (service restart)"),
        (1013, "1013 (try again later)"),
        (1014, "1014 (bad gateway)"),
        (1015, "1015 (TLS handshake failure [internal])"),
        (1016, "1016"),
        (2999, "2999"),
        (3000, "3000 (registered)"),
        (3999, "3999 (registered)"),
        (4000, "4000 (private use)"),
        (4999, "4999 (private use)"),
        (5000, "5000"),
    ] {
        assert_eq!(CloseCode::from(code).to_string(), words);
    }
    assert_eq!(
        CloseError(CloseCode::NO_STATUS).to_string(),
        "close code 1005 (no status received [internal]) must not be sent"
    );
}

#[test]
fn outcomes() {
    let bye = || Some(CloseFrame::new(CloseCode::NORMAL, "bye"));
    let sent = Some(CloseFrame::new(CloseCode::NORMAL, ""));
    let mut both = Outcome::new(sent, bye(), Cause::Peer);
    assert_eq!(both.to_string(), "closed by the peer; received 1000 (OK) bye; sent 1000 (OK)");
    both.received = Some(CloseFrame::new(10_001.into(), "bye"));
    both.malformed = Some((*b"\x27\x11bye").into());
    assert_eq!(both.to_string(), "closed by the peer; received 10001 bye, against the protocol; sent 1000 (OK)");
    let none = Outcome::new(None, None, Cause::Eof);
    assert_eq!(none.to_string(), "the transport ended without a Close frame; no Close frame received; none sent");
}

#[test]
fn causes() {
    for (cause, words) in [
        (Cause::Local, "closed by us"),
        (Cause::Peer, "closed by the peer"),
        (Cause::Violation(Violation::Masked), "the peer broke the protocol: server frame masked"),
        (Cause::KeepaliveTimeout, "keepalive ping timeout"),
        (Cause::MessageTimeout, "a message did not arrive in time"),
        (Cause::WriteStall, "the peer stopped reading"),
        (Cause::CloseTimeout, "the peer did not answer our Close frame in time"),
        (Cause::Eof, "the transport ended without a Close frame"),
        (Cause::Unanswered, "the transport ended without an answer to our Close frame"),
        (Cause::TransportFailed, "the transport failed"),
        (Cause::Aborted, "aborted by us"),
    ] {
        assert_eq!(cause.to_string(), words);
    }
}

#[test]
fn violations() {
    for (violation, words) in [
        (Violation::ReservedBits, "reserved bit set without an extension"),
        (Violation::ReservedOpcode(11), "reserved opcode 0xB"),
        (Violation::FragmentedControl, "fragmented control frame"),
        (Violation::ControlTooLong, "control frame longer than 125 bytes"),
        (Violation::Unmasked, "client frame not masked"),
        (Violation::Masked, "server frame masked"),
        (Violation::NonMinimalLength, "frame length not in its shortest form"),
        (Violation::LengthTooLarge, "frame length of 2^63 or more"),
        (Violation::UnexpectedContinuation, "continuation frame without a message to continue"),
        (Violation::UnfinishedMessage, "new message before the fragmented one was finished"),
        (Violation::FrameTooBig { limit: 5 }, "frame over the receiver's limit of 5 bytes (limits.frame)"),
        (Violation::MessageTooBig { limit: 6 }, "message over the receiver's limit of 6 bytes (limits.message)"),
        (
            Violation::StreamTooBig { limit: 6 },
            "streamed message over the receiver's limit of 6 bytes (limits.streamed)",
        ),
        (
            Violation::TooManyFragments { limit: 7 },
            "message over the receiver's limit of 7 fragments (limits.fragments)",
        ),
        (Violation::InvalidUtf8, "text is not UTF-8"),
        (Violation::TruncatedCloseCode, "Close frame with one byte of body"),
        (Violation::InvalidCloseCode(1005), "close code 1005 must not be sent"),
        (Violation::InvalidCloseReason, "close reason is not UTF-8"),
    ] {
        assert_eq!(violation.to_string(), words);
    }
}

#[test]
fn refused_messages() {
    for (error, words) in [
        (SendError::Closed("m"), "the connection is closing"),
        (SendError::Full("m"), "the outgoing queue is at its cap (limits.hard_cap)"),
        (SendError::Unfinished("m"), "a fragmented message is being sent"),
    ] {
        assert_eq!(error.to_string(), words);
        assert!(error.source().is_none());
        assert_eq!(error.into_message(), "m");
    }
}

/// RFC 6455 §10.3: who knows the keys to come can choose what stands on the wire.
#[test]
fn debug_output_tells_that_a_client_masks_and_no_key() {
    let client = Connection::client(Config::default(), || [0xC1, 0xC2, 0xC3, 0xC4], Timestamp::ZERO);
    let shown = format!("{client:?}");
    assert!(shown.contains("Encoder { masks: true, outgoing: Outgoing {"), "{shown}");
    assert!(!shown.contains("193") && !shown.contains("keys"), "{shown}");
    let server = Connection::server(Config::default(), Timestamp::ZERO);
    assert!(format!("{server:?}").contains("masks: false"));
}

#[cfg(feature = "handshake")]
mod handshake {
    use http::header::{HOST, LOCATION, UPGRADE};
    use http::{HeaderName, Response, StatusCode};
    use ws_proto::handshake::client::{BuildError, HandshakeError};
    use ws_proto::handshake::extensions::MalformedExtensions;
    use ws_proto::handshake::head::HeadError;
    use ws_proto::handshake::server::{Origins, Rejection, UpgradeError};

    use super::*;

    #[test]
    fn heads() {
        for (error, words) in [
            (HeadError::BareLineFeed, "line feed without a carriage return before it"),
            (HeadError::BareCarriageReturn, "carriage return without a line feed after it"),
            (HeadError::Byte(7), "byte 0x07 where it is not allowed"),
            (HeadError::SpaceBeforeColon, "white space before the colon of a header line"),
            (HeadError::LineFolding, "header line that begins with white space"),
            (HeadError::HeaderLine, "header line without a colon"),
            (HeadError::StartLine, "malformed start line"),
            (HeadError::Version, "HTTP version other than 1.1"),
            (HeadError::ProxyProtocol { version: 2 }, "header of the PROXY protocol, version 2"),
            (HeadError::TooLarge { limit: 5 }, "head over the limit of 5 bytes"),
            (HeadError::TooManyHeaders { limit: 6 }, "more headers than the limit of 6"),
            (HeadError::TargetTooLong { limit: 7 }, "request target over the limit of 7 bytes"),
        ] {
            assert_eq!(error.to_string(), words);
            let error = HandshakeError::from(error);
            assert_eq!(error.to_string(), format!("invalid HTTP response: {words}"));
            assert!(error.source().is_none(), "all has been said");
        }
    }

    #[test]
    fn responses() {
        let name = || UPGRADE;
        for (error, words) in [
            (HandshakeError::MissingHeader(name()), "no upgrade header"),
            (HandshakeError::DuplicateHeader(name()), "more than one upgrade header"),
            (HandshakeError::WrongHeader(name(), "h2c".parse().unwrap()), "wrong upgrade header \"h2c\""),
            (HandshakeError::SubprotocolNotOffered("chat".parse().unwrap()), "subprotocol \"chat\" was not offered"),
            (HandshakeError::ExtensionNotOffered("x".into()), "extension \"x\" was not offered"),
            (HandshakeError::MalformedExtensions, "malformed extensions"),
        ] {
            assert_eq!(error.to_string(), format!("invalid handshake response: {words}"));
            assert!(error.source().is_none());
        }
        for (status, location, words) in [
            (403, None, "server rejected the WebSocket connection: HTTP 403 Forbidden"),
            (302, None, "server rejected the WebSocket connection: HTTP 302 Found"),
            (308, Some("/b\tc"), "the server redirects to \"/b\\tc\" (HTTP 308 Permanent Redirect)"),
            (200, Some("/"), "this is not a WebSocket endpoint (HTTP 200 OK)"),
            (204, None, "this is not a WebSocket endpoint (HTTP 204 No Content)"),
        ] {
            let mut response = Response::new(());
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            response.headers_mut().extend(location.map(|to| (LOCATION, to.parse().unwrap())));
            let rejected = HandshakeError::Rejected { response: Box::new(response), consumed: 0 };
            assert_eq!(rejected.to_string(), words);
        }
        assert_eq!(MalformedExtensions.to_string(), "malformed Sec-WebSocket-Extensions header");
    }

    #[test]
    fn requests_that_cannot_be_built() {
        for (error, words) in [
            (BuildError::Host, "invalid host"),
            (BuildError::Target, "invalid path or query: it must begin with a slash and be percent-encoded"),
            (BuildError::HeaderName, "invalid header name"),
            (BuildError::HeaderValue(HOST), "invalid value for the header host"),
            (BuildError::ReservedHeader(UPGRADE), "the header upgrade is set by the handshake"),
            (BuildError::TooManyHeaders, "too many headers"),
            (BuildError::Subprotocol("a b".into()), "invalid subprotocol \"a b\""),
            (BuildError::DuplicateSubprotocol("a".into()), "subprotocol \"a\" offered twice"),
        ] {
            assert_eq!(error.to_string(), words);
        }
    }

    #[test]
    fn texts_of_a_servers_errors() {
        for (error, words) in [
            (UpgradeError::SubprotocolNotOffered("x".into()), "the client did not offer the subprotocol \"x\""),
            (UpgradeError::TooManyHeaders, "too many headers for a response"),
            (
                UpgradeError::ReservedHeader(HeaderName::from_static("trailer")),
                "the header trailer cannot be set in a 101 response",
            ),
        ] {
            assert_eq!(error.to_string(), words);
            let rejection = Rejection::from(error);
            assert_eq!(
                rejection.message(),
                "The server failed to accept the connection.",
                "the details are for the log"
            );
        }
        let error = Origins::new(["example.com"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"example.com\" is not an origin such as \"https://example.com\", nor a pattern such as \"https://*.example.com\" \
             or \"http://localhost:*\""
        );
    }
}
