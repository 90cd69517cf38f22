//! [`WebSocketUpgradeRejection`]: a request that is no opening handshake.

use std::error::Error as StdError;
use std::fmt;

use axum_core::body::Body;
use axum_core::response::{IntoResponse, Response};
use ws_session::http::StatusCode;
use ws_session::http::header::SEC_WEBSOCKET_VERSION;
use ws_session::{Refused, Rejection};

/// The reason why a request cannot become a WebSocket connection. Each variant holds the response: its status, its headers,
/// and a plain text that names the mistake.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum WebSocketUpgradeRejection {
    /// The method is not that of the handshake (405 with `Allow`): GET over HTTP/1.1, CONNECT over HTTP/2.
    MethodNotAllowed(Rejection),
    /// The request does not ask for a WebSocket (426 with `Upgrade`). A browser has opened the URL as a page, for example, or
    /// a proxy has removed `Upgrade` or `Connection`.
    UpgradeRequired(Rejection),
    /// The client does not speak version 13 of the protocol (426, over HTTP/2 400; with `Sec-WebSocket-Version: 13`).
    UnsupportedVersion(Rejection),
    /// The request is in HTTP/1.0 (505).
    HttpVersionNotSupported(Rejection),
    /// A header of the handshake is missing or malformed (400), or the protocol of an extended CONNECT is not `websocket`
    /// (501).
    Malformed(Rejection),
    /// The HTTP server cannot hand the connection over (500): it is not hyper's, or is not served with upgrades.
    NotUpgradable(Rejection),
}

impl WebSocketUpgradeRejection {
    /// Status, headers and text of the response.
    pub fn rejection(&self) -> &Rejection {
        match self {
            Self::MethodNotAllowed(rejection)
            | Self::UpgradeRequired(rejection)
            | Self::UnsupportedVersion(rejection)
            | Self::HttpVersionNotSupported(rejection)
            | Self::Malformed(rejection)
            | Self::NotUpgradable(rejection) => rejection,
        }
    }

    /// The status of the response.
    pub fn status(&self) -> StatusCode {
        self.rejection().status()
    }
}

impl From<Rejection> for WebSocketUpgradeRejection {
    fn from(rejection: Rejection) -> Self {
        let names_version = rejection.headers().contains_key(SEC_WEBSOCKET_VERSION);
        match rejection.status() {
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed(rejection),
            _ if names_version => Self::UnsupportedVersion(rejection),
            StatusCode::UPGRADE_REQUIRED => Self::UpgradeRequired(rejection),
            StatusCode::HTTP_VERSION_NOT_SUPPORTED => Self::HttpVersionNotSupported(rejection),
            _ => Self::Malformed(rejection),
        }
    }
}

impl IntoResponse for WebSocketUpgradeRejection {
    fn into_response(self) -> Response {
        Refused::from(self.rejection().clone()).into_response().map(Body::from)
    }
}

impl fmt::Display for WebSocketUpgradeRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rejection().fmt(f)
    }
}

impl StdError for WebSocketUpgradeRejection {}
