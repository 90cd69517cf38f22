//! Decides whether a request becomes a connection or gets another response. No I/O.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use http::header::{CONNECTION, HOST};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use tracing::error;
use ws_proto::handshake::server::{AcceptedUpgrade, Rejection, Upgrade, join_cookies, remove_connection_fields};

use super::ServerSettings;
use super::proxies::ClientIp;
use crate::error::AcceptError;
use crate::info::Caller;
use crate::logging::{TARGET, unless_heard};
use crate::opening::compression::NegotiatedCompression;
use crate::registry::HandshakeGuard;

/// An accepted request: the response to send, and the negotiated parameters.
pub(super) struct AcceptedRequest {
    pub(super) request: Request<()>,
    pub(super) response: Response<()>,
    pub(super) subprotocol: Option<Box<str>>,
    pub(super) agreement: NegotiatedCompression,
}

/// A request that gets another response, and no connection.
pub(super) struct RefusedRequest {
    pub(super) response: Box<Response<Bytes>>,
    pub(super) error: AcceptError,
}

impl From<Rejection> for RefusedRequest {
    fn from(rejection: Rejection) -> Self {
        Self::new(rejection.clone().into_response(), AcceptError::Rejected(rejection))
    }
}

/// The form of an opening handshake.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form<'a> {
    /// An upgrade of HTTP/1.1 (RFC 6455 §4).
    Upgrade,
    /// An extended CONNECT with this `:protocol`, or another request of HTTP/2 (RFC 8441 §5).
    ExtendedConnect(Option<&'a str>),
}

impl RefusedRequest {
    pub(super) fn new(response: Response<Bytes>, error: AcceptError) -> Self {
        Self { response: Box::new(response), error }
    }

    /// The response in the form of the request's version of HTTP.
    pub(super) fn in_form(mut self, form: Form<'_>) -> Self {
        if let Form::ExtendedConnect(_) = form {
            remove_connection_fields(self.response.headers_mut());
            *self.response.version_mut() = Version::HTTP_2;
        }
        self
    }
}

/// Records the client's address if a trusted proxy names it.
pub(super) fn identify(caller: &mut Caller, settings: &ServerSettings, headers: &HeaderMap) {
    let peer = caller.client_ip();
    let client = settings.proxies.client_ip(peer, headers);
    caller.forwarded_for = client.filter(|_| client != peer).map(Box::new);
}

fn failed_to_look() -> RefusedRequest {
    Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, "The server failed to look at the request.").into()
}

/// Decides on a request.
pub(super) fn decide(
    settings: &ServerSettings,
    guard: Option<&HandshakeGuard>,
    mut request: Request<()>,
    form: Form<'_>,
    caller: &Caller,
) -> Result<AcceptedRequest, RefusedRequest> {
    if let Form::ExtendedConnect(_) = form {
        join_cookies(request.headers_mut());
        name_host(&mut request);
    }
    decide_any(settings, guard, request, form, caller).map_err(|refusal| refusal.in_form(form))
}

/// Adds the `Host` of HTTP/1.1, which an application may look for (RFC 9113 §8.3.1).
fn name_host(request: &mut Request<()>) {
    let host = request.uri().authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if let Some(host) = host {
        // Tens of thousands of other headers may leave no room for it.
        let _ = request.headers_mut().try_insert(HOST, host);
    }
}

fn decide_any(
    settings: &ServerSettings,
    guard: Option<&HandshakeGuard>,
    mut request: Request<()>,
    form: Form<'_>,
    caller: &Caller,
) -> Result<AcceptedRequest, RefusedRequest> {
    if let Some(hook) = &settings.hook {
        let extensions = request.extensions_mut();
        extensions.insert(caller.addresses);
        caller.client_ip().map(|client| extensions.insert(ClientIp(client)));
        match catch_unwind(AssertUnwindSafe(|| hook(&request))) {
            Ok(None) => {}
            Ok(Some(mut response)) => {
                // Only tens of thousands of headers leave no room for this one.
                if response.headers_mut().try_insert(CONNECTION, HeaderValue::from_static("close")).is_err() {
                    return Err(failed_to_look());
                }
                let error = AcceptError::Answered(response.status());
                return Err(RefusedRequest::new(response, error));
            }
            Err(_) => {
                error!(target: TARGET, path = request.uri().path(), "the request hook panicked");
                unless_heard(format_args!("the request hook panicked"));
                return Err(failed_to_look());
            }
        }
    }
    let upgrade = check_form(settings, request, form, caller)?;
    if let Some(origins) = &settings.origins {
        origins.check(upgrade.request().headers())?;
    }
    if guard.is_some_and(|guard| !guard.admit(settings.max_connections)) {
        return Err(Rejection::service_unavailable().into());
    }
    let subprotocol = upgrade.select_subprotocol(&settings.subprotocols).map(String::as_str);
    let (extension, agreement) = settings.compression.accept(upgrade.extensions());
    let accepted = upgrade.accept_with(subprotocol, extension.as_slice(), settings.headers.clone());
    let AcceptedUpgrade { request, response, .. } = accepted.map_err(|mistake| {
        error!(target: TARGET, "{mistake}");
        unless_heard(format_args!("a request was refused by mistake: {mistake}"));
        Rejection::from(mistake)
    })?;
    Ok(AcceptedRequest { request, response, subprotocol: subprotocol.map(Into::into), agreement })
}

/// Checks that a request is a valid opening handshake.
pub(super) fn check_form(
    settings: &ServerSettings,
    request: Request<()>,
    form: Form<'_>,
    caller: &Caller,
) -> Result<Upgrade, Rejection> {
    match form {
        Form::Upgrade if settings.takes_keyless(caller) => Upgrade::with_optional_key(request),
        Form::Upgrade => Upgrade::new(request),
        Form::ExtendedConnect(protocol) => Upgrade::extended_connect(request, protocol),
    }
}
