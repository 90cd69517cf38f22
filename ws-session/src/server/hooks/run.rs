//! Runs hooks, and applies their decisions.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use tracing::error;
use ws_proto::Escaped;
use ws_proto::handshake::server::{Rejection, is_reserved};

use super::decision::Kind;
use super::{Deciding, Decision, Hooks, RequestHook, ResponseHook};
use crate::error::{AcceptError, BoxError};
use crate::info::Attached;
use crate::logging::{Chain, TARGET, unless_heard};
use crate::registry::HandshakeGuard;
#[cfg(feature = "auth")]
use crate::server::auth;
use crate::server::decision::{AcceptedRequest, RefusedRequest};

/// The additions of hooks that let a request go on.
#[derive(Default)]
pub(in crate::server) struct Granted {
    pub(in crate::server) headers: HeaderMap,
    pub(in crate::server) attached: Attached,
}

/// The reason why a hook made no decision.
pub(in crate::server) enum Failure {
    Panicked,
    Failed(BoxError),
}

impl Failure {
    /// Logs it, and returns the 500 for the client.
    pub(in crate::server) fn log(self, hook: &str, request: &Request<()>) -> Rejection {
        let path = request.uri().path();
        match self {
            Self::Panicked => {
                error!(target: TARGET, path, "the {hook} panicked");
                unless_heard(format_args!("the {hook} panicked"));
            }
            Self::Failed(cause) => {
                let why = Escaped(Chain(&*cause));
                error!(target: TARGET, path, "the {hook} failed: {why}");
                unless_heard(format_args!("the {hook} failed: {why}"));
            }
        }
        Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, "The server failed to look at the request.")
    }
}

/// Asks the request hooks in order, until one responds.
pub(in crate::server) async fn ask(hooks: &Hooks, request: &Arc<Request<()>>) -> Result<Granted, RefusedRequest> {
    let mut granted = Granted::default();
    for hook in &hooks.requests {
        let name = hook.name();
        let apply = |decision| -> Result<_, Failure> {
            let Decision { kind, headers, attached } = decision;
            let refusal = refusal(kind, &headers)?;
            append(&mut granted.headers, headers)?;
            granted.attached.extend(attached);
            Ok(refusal)
        };
        let decided = hook.call(request).await.and_then(apply);
        if let Some(refusal) = decided.map_err(|failure| failure.log(name, request))? {
            return Err(refusal);
        }
    }
    Ok(granted)
}

impl RequestHook {
    /// Its name in the log.
    fn name(&self) -> &'static str {
        match self {
            Self::Sync(_) | Self::Async(_) => "request hook",
            #[cfg(feature = "auth")]
            Self::Auth(_) => "check of credentials",
        }
    }

    async fn call(&self, request: &Arc<Request<()>>) -> Result<Decision, Failure> {
        let deciding = match self {
            Self::Sync(hook) => return guarded(|| hook(request)),
            Self::Async(hook) => guarded(|| hook(Arc::clone(request)))?,
            #[cfg(feature = "auth")]
            Self::Auth(schemes) => guarded(|| auth::decide(schemes, request))?,
        };
        finish(deciding).await
    }
}

/// Shows the response to the response hooks in order. Each sees the changes of those before it.
pub(in crate::server) async fn revise(
    hooks: &Hooks,
    request: &Arc<Request<()>>,
    mut decided: Result<AcceptedRequest, RefusedRequest>,
) -> Result<AcceptedRequest, RefusedRequest> {
    for hook in &hooks.responses {
        let mut response = match &decided {
            Ok(accepted) => accepted.response.clone().map(|()| Bytes::new()),
            Err(refused) => (*refused.response).clone(),
        };
        let decision = match hook {
            ResponseHook::Sync(hook) => guarded(|| hook(request, &mut response)),
            ResponseHook::Async(hook) => match guarded(|| hook(Arc::clone(request), response.clone())) {
                Ok(deciding) => finish(deciding).await,
                Err(failure) => Err(failure),
            },
        };
        let revised = decision.and_then(|decision| apply(decided, response, decision));
        decided = revised.unwrap_or_else(|failure| Err(failure.log("response hook", request).into()));
    }
    decided
}

/// Applies the decision of a response hook that has left `response`.
fn apply(
    decided: Result<AcceptedRequest, RefusedRequest>,
    mut response: Response<Bytes>,
    decision: Decision,
) -> Result<Result<AcceptedRequest, RefusedRequest>, Failure> {
    let Decision { kind, headers, attached } = decision;
    if let Some(refusal) = refusal(kind, &headers)? {
        return Ok(Err(refusal));
    }
    append(response.headers_mut(), headers)?;
    let status = response.status();
    match decided {
        Ok(mut accepted) if status == accepted.response.status() => {
            let own = accepted.response.headers();
            let headers = response.headers_mut();
            // Headers of the handshake stay as they were.
            let changed: Vec<_> = headers.keys().filter(|name| is_reserved(name)).cloned().collect();
            changed.into_iter().for_each(|name| drop(headers.remove(name)));
            for (name, value) in own.iter().filter(|(name, _)| is_reserved(name)) {
                headers.try_append(name, value.clone()).map_err(|_| too_many())?;
            }
            *accepted.response.headers_mut() = response.into_parts().0.headers;
            accepted.attached.extend(attached);
            Ok(Ok(accepted))
        }
        Ok(_) => {
            // The headers that open a connection do not belong into a refusal.
            let headers = response.headers_mut();
            let of_handshake: Vec<_> = headers.keys().filter(|name| is_reserved(name)).cloned().collect();
            of_handshake.into_iter().for_each(|name| drop(headers.remove(name)));
            answered(response).map(Err)
        }
        Err(refused) => {
            if response.body() != refused.response.body() {
                let length = response.body().len().into();
                response.headers_mut().try_insert(CONTENT_LENGTH, length).map_err(|_| too_many())?;
            }
            match status == refused.response.status() {
                true => Ok(Err(RefusedRequest::new(response, refused.error))),
                false => answered(response).map(Err),
            }
        }
    }
}

/// The refusal that a decision makes, if it makes one.
fn refusal(kind: Kind, headers: &HeaderMap) -> Result<Option<RefusedRequest>, Failure> {
    let mut refused = match kind {
        Kind::Proceed => return Ok(None),
        Kind::Fail(error) => return Err(Failure::Failed(error)),
        Kind::Reject(rejection) => RefusedRequest::from(rejection),
        Kind::Respond(response) => answered(response)?,
    };
    append(refused.response.headers_mut(), headers.clone())?;
    Ok(Some(refused))
}

/// A response of a hook. It ends the connection.
fn answered(mut response: Response<Bytes>) -> Result<RefusedRequest, Failure> {
    let status = response.status();
    if status.is_informational() {
        return Err(Failure::Failed(format!("its response has the informational status {status}").into()));
    }
    response.headers_mut().try_insert(CONNECTION, HeaderValue::from_static("close")).map_err(|_| too_many())?;
    Ok(RefusedRequest::new(response, AcceptError::Answered(status)))
}

fn append(headers: &mut HeaderMap, more: HeaderMap) -> Result<(), Failure> {
    for (name, value) in &more {
        if is_reserved(name) {
            return Err(Failure::Failed(format!("the header {name} is set by the handshake").into()));
        }
        headers.try_append(name, value.clone()).map_err(|_| too_many())?;
    }
    Ok(())
}

fn too_many() -> Failure {
    Failure::Failed("there are too many response headers".into())
}

fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|_| Failure::Panicked)
}

/// Awaits a decision.
async fn finish(mut deciding: Deciding) -> Result<Decision, Failure> {
    poll_fn(|cx| match guarded(|| deciding.as_mut().poll(cx)) {
        Ok(polled) => polled.map(Ok),
        Err(failure) => Poll::Ready(Err(failure)),
    })
    .await
}

/// Awaits a decision on a request. A refusal takes its place when the deadline passes, or when the server shuts down.
pub(in crate::server) async fn in_time<D>(
    mut deciding: impl Future<Output = D> + Unpin,
    mut poll_deadline: impl FnMut(&mut Context<'_>) -> Poll<()>,
    guard: Option<&HandshakeGuard>,
) -> Result<D, RefusedRequest> {
    guard.into_iter().for_each(|guard| guard.set_deciding(true));
    let decided = poll_fn(|cx| {
        if let Poll::Ready(decided) = Pin::new(&mut deciding).poll(cx) {
            return Poll::Ready(Ok(decided));
        }
        if guard.is_some_and(|guard| guard.poll_stopped(cx).is_ready()) {
            return Poll::Ready(Err(Rejection::service_unavailable().into()));
        }
        poll_deadline(cx).map(|()| {
            error!(target: TARGET, "the hooks have not decided on a request within the handshake's deadline");
            unless_heard(format_args!("the hooks have not decided on a request within the handshake's deadline"));
            Err(Rejection::new(StatusCode::SERVICE_UNAVAILABLE, "The server took too long to decide. Try again later.")
                .into())
        })
    });
    let decided = decided.await;
    guard.into_iter().for_each(|guard| guard.set_deciding(false));
    decided
}
