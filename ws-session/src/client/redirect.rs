//! Redirects: where the next request goes, and what it takes along (RFC 9110 §15.4, RFC 6455 §4.1).

use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE, HOST, HeaderValue, LOCATION};
use http::{Response, StatusCode};
use tracing::debug;
use ws_proto::{Escaped, EscapedBytes};

use super::Client;
use super::cookies::Cookies;
use super::url::without_password;
use crate::error::{ConnectError, RedirectError, RedirectFailure};
use crate::logging::TARGET;
use crate::runtime::Runtime;

/// The default limit of redirects.
pub(super) const REDIRECTS: u32 = 5;

impl<R: Runtime> Client<R> {
    /// Limits the number of redirects that one connect follows: the statuses 301, 302, 303, 307 and 308. Default 5. With 0,
    /// none is followed, and a redirect is [`ConnectError::Rejected`].
    ///
    /// The `Location` may be relative, `ws://` or `wss://`, or `http://` or `https://`, which mean the same. A redirect from
    /// `wss://` to `ws://` is never followed. To another origin (scheme, host and port), `Authorization`, `Cookie` and a
    /// `Host` given by [`header`](Self::header) are not sent, and no client certificate is shown. All requests share
    /// [`connect_timeout`](Self::connect_timeout). [`handshake`](Self::handshake) and [`upgrade`](Self::upgrade) follow none.
    ///
    /// A cookie that a redirecting server sets is sent to the same host in the requests after it, as its `Path`, `Secure`,
    /// `Max-Age` and `Expires` say. It is never sent to another host, whatever its `Domain` says.
    #[must_use]
    pub fn max_redirects(mut self, redirects: u32) -> Self {
        self.max_redirects = redirects;
        self
    }
}

/// The redirects of one connect.
#[derive(Default)]
pub(super) struct Redirects {
    followed: u32,
    cookies: Cookies,
    /// The application's own `Cookie` header, while another stands in its place: that header has cookies which may not be for
    /// the next target.
    replaced: Option<Option<HeaderValue>>,
}

impl Redirects {
    /// The client for the next request, if the error is a redirect that is to be followed.
    pub(super) fn follow<R: Runtime>(
        &mut self,
        mut client: Client<R>,
        error: ConnectError,
    ) -> Result<Client<R>, ConnectError> {
        let response = match error {
            ConnectError::Rejected(response) if client.max_redirects > 0 && redirects(&response) => response,
            error => return Err(error),
        };
        let (target, builder) = client.request.map_err(ConnectError::Url)?;
        let fail = |response: Box<Response<Bytes>>, failure| {
            let location = shown(&response);
            Err(ConnectError::Redirect(RedirectError::new(response, location, failure)))
        };
        if self.followed == client.max_redirects {
            return fail(response, RedirectFailure::TooMany { limit: client.max_redirects });
        }
        let location = response.headers().get(LOCATION).map(HeaderValue::as_bytes).unwrap_or_default();
        let next = match target.join(&String::from_utf8_lossy(location)) {
            Ok(next) => next,
            Err(error) => return fail(response, RedirectFailure::Location(error)),
        };
        if target.secure && !next.secure {
            return fail(response, RedirectFailure::Downgrade);
        }
        let same_origin = target.is_same_origin(&next);
        if !same_origin && client.dialling.overrides_the_url() {
            return fail(response, RedirectFailure::Overridden);
        }
        self.followed += 1;
        self.cookies.store(&target, response.headers());

        let mut builder = builder.retarget(next.authority.as_str(), next.path_and_query.as_str());
        if let Some(own) = self.replaced.take() {
            builder = builder.remove_header(COOKIE);
            builder = own.into_iter().fold(builder, |builder, own| builder.header(COOKIE, own));
        }
        if !same_origin {
            builder = builder.remove_header(AUTHORIZATION).remove_header(COOKIE).remove_header(HOST);
            #[cfg(feature = "tls")]
            client.tls.forget_identity();
        }
        if let Some(credentials) = &next.authorization {
            builder = builder.header(AUTHORIZATION, credentials.as_str());
        }
        let own = builder.get_header(&COOKIE).cloned();
        if let Some(cookies) = self.cookies.header(&next, own.as_ref()) {
            self.replaced = Some(own);
            builder = builder.remove_header(COOKIE).header(COOKIE, cookies);
        }
        let scheme = if next.secure { "wss" } else { "ws" };
        debug!(target: TARGET, "following a redirect (HTTP {}) to {scheme}://{}", response.status(), next.authority);
        client.request = Ok((next, builder));
        Ok(client)
    }
}

/// The `Location` for messages. Credentials in it are as secret as those in a client's own URL.
fn shown<B>(response: &Response<B>) -> String {
    let location = response.headers().get(LOCATION).map(HeaderValue::as_bytes).unwrap_or_default();
    match str::from_utf8(location) {
        Ok(location) => format!("{:?}", Escaped(without_password(location))),
        Err(_) => format!("{:?}", EscapedBytes(location)),
    }
}

/// Whether this response redirects, and says where to.
fn redirects<B>(response: &Response<B>) -> bool {
    let status = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    status && response.headers().contains_key(LOCATION)
}
