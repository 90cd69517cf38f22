//! [`Decision`]: the output of a hook.

use std::any::Any;
use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use ws_proto::handshake::server::Rejection;

use crate::error::BoxError;
use crate::info::Attached;

/// The output of a hook such as [`Server::on_request`](crate::Server::on_request): the opening handshake goes on, or the
/// request gets a response of the hook.
///
/// A hook may return any of these, because they convert into a decision:
///
/// | output | effect |
/// | --- | --- |
/// | `()`, or `None` | go on |
/// | a [`Response`], or `Some(response)` | respond, and close the connection |
/// | a [`Rejection`] | respond with its status and text |
/// | a `Decision` | go on or respond, with headers, state and a user's name |
/// | a [`Result`] of these | an error is logged, and the response is 500 without details |
///
/// ```
/// use ws_session::http::StatusCode;
/// use ws_session::{Decision, RequestExt, Runtime, Server};
///
/// struct Tenant(String);
///
/// fn with_tenants<R: Runtime>(server: Server<R>) -> Server<R> {
///     server.on_request(|request| match request.header("X-Tenant") {
///         Some(tenant) => Decision::proceed().state(Tenant(tenant.to_owned())).header("X-Served-By", "eu-1"),
///         None => Decision::reject(StatusCode::BAD_REQUEST, "The X-Tenant header is missing."),
///     })
/// }
/// ```
///
/// The handler reads the state with [`WebSocket::state`](crate::WebSocket::state): `ws.state::<Tenant>()`.
#[derive(Debug)]
#[must_use = "a hook returns it"]
pub struct Decision {
    pub(super) kind: Kind,
    pub(super) headers: HeaderMap,
    pub(super) attached: Attached,
}

#[derive(Debug)]
pub(super) enum Kind {
    Proceed,
    Respond(Response<Bytes>),
    Reject(Rejection),
    Fail(BoxError),
}

impl Decision {
    fn new(kind: Kind) -> Self {
        Self { kind, headers: HeaderMap::new(), attached: Attached::default() }
    }

    /// The opening handshake goes on.
    pub fn proceed() -> Self {
        Self::new(Kind::Proceed)
    }

    #[cfg(feature = "routes")]
    pub(in crate::server) fn proceeds(&self) -> bool {
        matches!(self.kind, Kind::Proceed)
    }

    /// The request gets this response, and no connection. Its status must not be informational (1xx).
    pub fn respond(response: Response<impl Into<Bytes>>) -> Self {
        Self::new(Kind::Respond(response.map(Into::into)))
    }

    /// The request gets a response with this status and text, and no connection.
    pub fn reject(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Reject(Rejection::new(status, message)))
    }

    /// Adds a header to the response: the one that opens the connection, or the one that this decision makes. A header that
    /// is invalid, or that the handshake sets, is a mistake of the hook: it is logged, and the response is 500.
    pub fn header(mut self, name: impl TryInto<HeaderName>, value: impl TryInto<HeaderValue>) -> Self {
        let added = match (name.try_into(), value.try_into()) {
            (Ok(name), Ok(value)) => self.headers.try_append(name, value).is_ok(),
            _ => false,
        };
        if !added {
            self.kind = Kind::Fail("a header of its decision is invalid".into());
        }
        self
    }

    /// Attaches a value to the connection, for [`WebSocket::state`](crate::WebSocket::state). It replaces another of the same
    /// type.
    pub fn state<T: Any + Send + Sync>(mut self, value: T) -> Self {
        self.attached.insert(value);
        self
    }

    /// Sets the name of the connection's user, for [`WebSocket::user`](crate::WebSocket::user).
    pub fn user(mut self, name: impl Into<String>) -> Self {
        self.attached.set_user(name.into().into());
        self
    }
}

impl From<()> for Decision {
    fn from((): ()) -> Self {
        Self::proceed()
    }
}

impl From<Response<Bytes>> for Decision {
    fn from(response: Response<Bytes>) -> Self {
        Self::respond(response)
    }
}

impl From<Option<Response<Bytes>>> for Decision {
    fn from(response: Option<Response<Bytes>>) -> Self {
        response.map_or_else(Self::proceed, Self::respond)
    }
}

impl From<Rejection> for Decision {
    fn from(rejection: Rejection) -> Self {
        Self::new(Kind::Reject(rejection))
    }
}

impl<D: Into<Decision>, E: Into<BoxError>> From<Result<D, E>> for Decision {
    fn from(result: Result<D, E>) -> Self {
        match result {
            Ok(decision) => decision.into(),
            Err(error) => Self::new(Kind::Fail(error.into())),
        }
    }
}
