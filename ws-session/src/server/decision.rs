//! Decides whether a request becomes a connection or gets another response. No I/O.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, Entry, HOST};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use tracing::error;
use ws_proto::handshake::server::{AcceptedUpgrade, Rejection, Upgrade, join_cookies, remove_connection_fields};

use super::ServerSettings;
use super::hooks::{Granted, ask, revise};
use super::limits::Door;
use crate::error::AcceptError;
use crate::info::{Attached, Caller, ClientIp};
use crate::logging::{TARGET, unless_heard};
use crate::opening::compression::NegotiatedCompression;
use crate::registry::HandshakeGuard;

/// An accepted request: the response to send, and the negotiated parameters.
pub(super) struct AcceptedRequest {
    pub(super) request: Request<()>,
    pub(super) response: Response<()>,
    pub(super) subprotocol: Option<Box<str>>,
    pub(super) agreement: NegotiatedCompression,
    pub(super) attached: Attached,
    /// The place among the connections of a server that does not listen.
    pub(super) place: Option<HandshakeGuard>,
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

    /// The response with the length of its body, whatever a hook says. Only the response to a HEAD request may name the length
    /// of a body that it does not have (RFC 9110 §9.3.2).
    fn with_length(mut self, is_head: bool) -> Self {
        let (status, length) = (self.response.status(), self.response.body().len());
        match self.response.headers_mut().entry(CONTENT_LENGTH) {
            Entry::Occupied(_) if status == StatusCode::NOT_MODIFIED || (is_head && length == 0) => {}
            // RFC 9110 §8.6.
            Entry::Occupied(named) if status == StatusCode::NO_CONTENT => drop(named.remove_entry_mult()),
            Entry::Occupied(mut named) => drop(named.insert_mult(length.into())),
            Entry::Vacant(_) => {}
        }
        self
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
    if caller.forwarded_for().is_some() {
        return;
    }
    let peer = caller.client_ip();
    let client = settings.client_ip(peer, headers);
    caller.set_forwarded_for((client != peer).then_some(client));
}

/// Decides on a request. It waits only for hooks that do.
pub(super) async fn decide(
    settings: &ServerSettings,
    door: Door<'_>,
    mut request: Request<()>,
    form: Form<'_>,
    caller: &Caller,
) -> Result<AcceptedRequest, RefusedRequest> {
    if let Err(too_fast) = door.ask(settings, caller) {
        return complete(settings, form, Err(too_fast.into()));
    }
    if let Form::ExtendedConnect(_) = form {
        join_cookies(request.headers_mut());
        name_host(&mut request);
    }
    if settings.hooks.is_empty() && !settings.subprotocols.is_function() {
        let decided = settle(settings, door, request, form, caller, Granted::default());
        return complete(settings, form, decided);
    }
    let extensions = request.extensions_mut();
    extensions.insert(caller.addresses);
    caller.client_ip().map(|client| extensions.insert(ClientIp(client)));
    #[cfg(feature = "tls")]
    caller.tls().map(|tls| extensions.insert(tls.clone()));
    let is_head = request.method() == Method::HEAD;
    let request = Arc::new(request);
    let granted = ask(&settings.hooks, &request).await;
    if !settings.hooks.see_responses() {
        let decided = granted.and_then(|granted| {
            // A hook may have kept it.
            let request = Arc::try_unwrap(request).unwrap_or_else(|request| head_of(&request));
            settle(settings, door, request, form, caller, granted)
        });
        return complete(settings, form, decided).map_err(|refusal| refusal.with_length(is_head));
    }
    let decided = granted.and_then(|granted| settle(settings, door, head_of(&request), form, caller, granted));
    let decided = complete(settings, form, decided);
    let decided = revise(&settings.hooks, &request, decided).await;
    decided.map_err(|refusal| refusal.in_form(form).with_length(is_head))
}

/// Decides on a request at once. A hook that waits has failed.
pub(super) fn decide_at_once(
    settings: &ServerSettings,
    door: Door<'_>,
    request: Request<()>,
    form: Form<'_>,
    caller: &Caller,
) -> Result<AcceptedRequest, RefusedRequest> {
    let deciding = pin!(decide(settings, door, request, form, caller));
    match deciding.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(decided) => decided,
        Poll::Pending => {
            let message = "a hook takes time, so the request must be answered with `upgrade_async`";
            error!(target: TARGET, "{message}");
            unless_heard(format_args!("{message}"));
            let response =
                Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, "The server is not set up as it should be.");
            complete(settings, form, Err(response.into()))
        }
    }
}

/// The headers of every response.
fn complete(
    settings: &ServerSettings,
    form: Form<'_>,
    mut decided: Result<AcceptedRequest, RefusedRequest>,
) -> Result<AcceptedRequest, RefusedRequest> {
    settings.name_server(match &mut decided {
        Ok(accepted) => accepted.response.headers_mut(),
        Err(refused) => refused.response.headers_mut(),
    });
    decided.map_err(|refusal| refusal.in_form(form))
}

/// Adds the `Host` of HTTP/1.1, which an application may look for (RFC 9113 §8.3.1).
fn name_host(request: &mut Request<()>) {
    let host = request.uri().authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if let Some(host) = host {
        // Tens of thousands of other headers may leave no room for it.
        let _ = request.headers_mut().try_insert(HOST, host);
    }
}

/// Decides on a request that no hook has responded to.
fn settle(
    settings: &ServerSettings,
    door: Door<'_>,
    request: Request<()>,
    form: Form<'_>,
    caller: &Caller,
    granted: Granted,
) -> Result<AcceptedRequest, RefusedRequest> {
    let upgrade = check_form(settings, request, form, caller)?;
    if let Some(origins) = &settings.origins {
        origins.check(upgrade.request().headers())?;
    }
    let subprotocol = settings.subprotocols.select(&upgrade)?;
    let place = door.enter(settings, caller)?;
    let (extension, agreement) = settings.compression.accept(upgrade.extensions());
    let mut headers = settings.headers.clone();
    headers.extend(granted.headers);
    let accepted = upgrade.accept_with(subprotocol.as_deref(), extension.as_slice(), headers);
    let AcceptedUpgrade { request, response, .. } = accepted.map_err(|mistake| {
        error!(target: TARGET, "{mistake}");
        unless_heard(format_args!("a request was refused by mistake: {mistake}"));
        Rejection::from(mistake)
    })?;
    let subprotocol = subprotocol.map(String::into_boxed_str);
    Ok(AcceptedRequest { request, response, subprotocol, agreement, attached: granted.attached, place })
}

/// A request without its body.
pub(super) fn head_of<B>(request: &Request<B>) -> Request<()> {
    let mut head = Request::new(());
    *head.method_mut() = request.method().clone();
    *head.uri_mut() = request.uri().clone();
    *head.version_mut() = request.version();
    *head.headers_mut() = request.headers().clone();
    *head.extensions_mut() = request.extensions().clone();
    head
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
