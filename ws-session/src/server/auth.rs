//! Authentication of requests: Basic (RFC 7617) and Bearer (RFC 6750).

use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::str;
use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderValue, Request, StatusCode};
use subtle::{Choice, ConstantTimeEq as _};
use ws_proto::handshake::server::Rejection;

use super::Server;
use super::hooks::{Deciding, Decision};
use crate::error::{BoxError, InvalidSetting};
use crate::runtime::Runtime;

impl<R: Runtime> Server<R> {
    /// Asks for a user name and a password (HTTP Basic, RFC 7617), and accepts these users only. Others get 401. The realm
    /// names what the password is for; browsers show it.
    ///
    /// ```
    /// # use ws_session::{Runtime, Server};
    /// # fn example<R: Runtime>(server: Server<R>, password: String) -> Server<R> {
    /// server.basic_auth("chat", [("ann", password)])
    /// # }
    /// ```
    ///
    /// The name is [`WebSocket::user`](crate::WebSocket::user). All users are compared, each in constant time, so the time of
    /// the response tells nothing about names and passwords but their lengths.
    ///
    /// The password crosses the network as it is, so use TLS. Browsers send no password for a WebSocket from a page, except
    /// one of the same origin that the user has entered before; `docs/auth.md` in the repository compares the ways of a token.
    ///
    /// Authentication is a hook: it takes its turn among those of [`on_request`](Self::on_request), in the order in which they
    /// were added. A hook before it, such as a health check, can respond to requests without credentials. If Basic and Bearer
    /// are both set, either is accepted. So are the users of each call, if there are several; they are asked in order.
    #[must_use]
    pub fn basic_auth<U: Into<String>, P: Into<String>>(
        mut self,
        realm: &str,
        users: impl IntoIterator<Item = (U, P)>,
    ) -> Self {
        let users: Vec<(String, String)> =
            users.into_iter().map(|(user, password)| (user.into(), password.into())).collect();
        if let Some((user, _)) = users.iter().find(|(user, _)| user.contains(':')) {
            let mistake = format!("{user:?} is not a user name: it must have no colon");
            self.mistake(InvalidSetting::Users(mistake));
        }
        self.basic_auth_with(realm, move |given| {
            let is_one =
                users.iter().fold(Choice::from(0), |found, (user, password)| found | given.compare(user, password));
            ready(bool::from(is_one))
        })
    }

    /// Asks for a user name and a password as [`basic_auth`](Self::basic_auth) does, and has a function check them, which may
    /// take time: `true` accepts them. An error is logged, and the response is 500.
    ///
    /// ```
    /// # use ws_session::{BoxError, Runtime, Server};
    /// # async fn hash_of(_user: &str) -> Result<Option<String>, BoxError> { Ok(None) }
    /// # fn is_password(_password: &str, _hash: &str) -> bool { false }
    /// # fn example<R: Runtime>(server: Server<R>) -> Server<R> {
    /// server.basic_auth_with("chat", |given| async move {
    ///     let hash = hash_of(given.user()).await?;
    ///     Ok::<_, BoxError>(hash.is_some_and(|hash| is_password(given.password(), &hash)))
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn basic_auth_with<F>(self, realm: &str, check: impl Fn(Credentials) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output: Into<Verdict>> + Send + 'static,
    {
        self.authenticate(Kind::Basic, realm, move |token| {
            let given = Credentials::decode(token)?;
            let user = given.user.clone();
            let checking = check(given);
            Some(Box::pin(async move { checking.await.into().for_user(user) }))
        })
    }

    /// Asks for a token in the `Authorization` header (`Bearer`, RFC 6750), and has a function check it, which may take time.
    /// The name that it returns is [`WebSocket::user`](crate::WebSocket::user). `None` is answered with 401, and an error is
    /// logged and answered with 500.
    ///
    /// ```
    /// # use ws_session::{Runtime, Server};
    /// # fn example<R: Runtime>(server: Server<R>, secret: String) -> Server<R> {
    /// server.bearer_auth("chat", move |token| {
    ///     let user = token.is(&secret).then_some("ann"); // in constant time
    ///     async move { user }
    /// })
    /// # }
    /// ```
    ///
    /// Scripts in browsers cannot set this header. `docs/auth.md` in the repository has the other ways of a token: in a
    /// cookie, in the query, or in the first message. See [`basic_auth`](Self::basic_auth) for the order of hooks.
    #[must_use]
    pub fn bearer_auth<F>(self, realm: &str, check: impl Fn(Token) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output: Into<Verdict>> + Send + 'static,
    {
        self.authenticate(Kind::Bearer, realm, move |token| {
            let checking = check(Token(token.into()));
            Some(Box::pin(async move { checking.await.into() }))
        })
    }

    fn authenticate(
        mut self,
        kind: Kind,
        realm: &str,
        check: impl Fn(&str) -> Option<Checking> + Send + Sync + 'static,
    ) -> Self {
        let Some(challenge) = kind.challenge(realm) else {
            self.mistake(InvalidSetting::Header(format!("invalid realm {realm:?}")));
            return self;
        };
        self.settings.hooks.add_scheme(Scheme { kind, challenge, check: Arc::new(check) });
        self
    }
}

/// A user name and a password, as a client has sent them ([`Server::basic_auth_with`]). `Debug` does not print the password.
pub struct Credentials {
    user: String,
    password: String,
}

impl Credentials {
    /// Decodes Base64 of `user:password` (RFC 7617 §2). Padding may be missing.
    fn decode(token: &str) -> Option<Self> {
        const BASE64: GeneralPurpose = GeneralPurpose::new(
            &STANDARD,
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
        );
        let text = String::from_utf8(BASE64.decode(token).ok()?).ok()?;
        let (user, password) = text.split_once(':')?;
        Some(Self { user: user.to_owned(), password: password.to_owned() })
    }

    /// The user name. It is not checked yet.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The password.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Whether they are these. The comparison takes the same time wherever they differ, unless a length differs.
    pub fn are(&self, user: &str, password: &str) -> bool {
        self.compare(user, password).into()
    }

    fn compare(&self, user: &str, password: &str) -> Choice {
        self.user.as_bytes().ct_eq(user.as_bytes()) & self.password.as_bytes().ct_eq(password.as_bytes())
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A secret text, such as the token of [`Server::bearer_auth`], or one from a cookie or a query. `Debug` does not print it.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// A token, to be compared.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is this one. The comparison takes the same time wherever they differ, unless the length differs.
    pub fn is(&self, expected: impl AsRef<[u8]>) -> bool {
        self.0.as_bytes().ct_eq(expected.as_ref()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The result of checking credentials.
///
/// | output of a check | effect |
/// | --- | --- |
/// | `true` | accepted; with Basic, under the user name that was sent |
/// | `Some(name)` | accepted, under this user name |
/// | `false`, `None` | 401 |
/// | a [`Result`] of these | an error is logged, and the response is 500 without details |
#[derive(Debug)]
pub struct Verdict(Outcome);

#[derive(Debug)]
enum Outcome {
    Accepted(Option<String>),
    Refused,
    Failed(BoxError),
}

impl Verdict {
    fn for_user(self, user: String) -> Self {
        match self.0 {
            Outcome::Accepted(None) => Self(Outcome::Accepted(Some(user))),
            _ => self,
        }
    }
}

impl From<bool> for Verdict {
    fn from(accepted: bool) -> Self {
        Self(if accepted { Outcome::Accepted(None) } else { Outcome::Refused })
    }
}

impl<U: Into<String>> From<Option<U>> for Verdict {
    fn from(user: Option<U>) -> Self {
        Self(user.map_or(Outcome::Refused, |user| Outcome::Accepted(Some(user.into()))))
    }
}

impl<V: Into<Verdict>, E: Into<BoxError>> From<Result<V, E>> for Verdict {
    fn from(result: Result<V, E>) -> Self {
        result.map_or_else(|error| Self(Outcome::Failed(error.into())), Into::into)
    }
}

/// Begins to check the text behind a scheme's name.
type Check = dyn Fn(&str) -> Option<Checking> + Send + Sync;

type Checking = Pin<Box<dyn Future<Output = Verdict> + Send>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Basic,
    Bearer,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Basic => "Basic",
            Self::Bearer => "Bearer",
        }
    }

    /// The challenge for this realm, a quoted string (RFC 9110 §5.6.4).
    fn challenge(self, realm: &str) -> Option<HeaderValue> {
        let realm = realm.replace('\\', "\\\\").replace('"', "\\\"");
        // Our own decoding is UTF-8 (RFC 7617 §2.1).
        let charset = if self == Self::Basic { ", charset=\"UTF-8\"" } else { "" };
        HeaderValue::try_from(format!("{} realm=\"{realm}\"{charset}", self.name())).ok()
    }
}

/// One scheme of authentication.
#[derive(Clone)]
pub(super) struct Scheme {
    kind: Kind,
    challenge: HeaderValue,
    /// Begins to check the text behind the scheme's name. `None` if it is malformed.
    check: Arc<Check>,
}

/// Asks for credentials of any of these schemes.
pub(super) fn decide(schemes: &Arc<[Scheme]>, request: &Request<()>) -> Deciding {
    let sent = request.headers().get(AUTHORIZATION);
    let mut sent =
        sent.map(|value| str::from_utf8(value.as_bytes()).unwrap_or_default().split_once(' ').unwrap_or_default());
    // Two headers say nothing for sure.
    if request.headers().get_all(AUTHORIZATION).iter().count() > 1 {
        sent = Some(("", ""));
    }
    let Some((name, token)) = sent else {
        return Box::pin(ready(refuse(schemes, None, "The request has no credentials.")));
    };
    let of_this_kind = |scheme: &&Scheme| scheme.kind.name().eq_ignore_ascii_case(name);
    let Some(kind) = schemes.iter().find(of_this_kind).map(|scheme| scheme.kind) else {
        return Box::pin(ready(refuse(
            schemes,
            None,
            "The Authorization header has no credentials of a scheme that this server accepts.",
        )));
    };
    let (schemes, token) = (Arc::clone(schemes), token.trim_ascii().to_owned());
    Box::pin(async move {
        let mut is_malformed = true;
        // Another of this kind may accept what the first refuses.
        for scheme in schemes.iter().filter(|scheme| scheme.kind == kind) {
            let Some(checking) = (scheme.check)(&token) else { continue };
            is_malformed = false;
            match checking.await.0 {
                Outcome::Accepted(Some(user)) => return Decision::proceed().user(user),
                Outcome::Accepted(None) => return Decision::proceed(),
                Outcome::Failed(error) => return Err::<(), _>(error).into(),
                Outcome::Refused => {}
            }
        }
        match kind {
            _ if is_malformed => refuse(&schemes, None, "The credentials in the Authorization header are malformed."),
            Kind::Basic => refuse(&schemes, Some(kind), "The user name or the password is wrong."),
            Kind::Bearer => refuse(&schemes, Some(kind), "The token is not valid, or no longer."),
        }
    })
}

/// A 401 with the challenges of all schemes (RFC 9110 §11.6.1). `wrong` is the scheme whose credentials were not accepted.
fn refuse(schemes: &[Scheme], wrong: Option<Kind>, reason: &'static str) -> Decision {
    let names: Vec<_> = schemes.iter().map(|scheme| scheme.kind.name()).collect();
    let message = match wrong {
        Some(_) => reason.to_owned(),
        None => format!("{reason} Send an Authorization header ({}).", names.join(" or ")),
    };
    let mut rejection = Rejection::new(StatusCode::UNAUTHORIZED, message);
    for Scheme { kind, challenge, .. } in schemes {
        let mut challenge = challenge.clone();
        if wrong == Some(Kind::Bearer) && *kind == Kind::Bearer {
            // RFC 6750 §3.1.
            let with_error = [challenge.as_bytes(), b", error=\"invalid_token\""].concat();
            challenge = HeaderValue::from_bytes(&with_error).unwrap_or(challenge);
        }
        rejection = rejection.with_header(WWW_AUTHENTICATE, challenge);
    }
    rejection.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_decoded() {
        for (token, expected) in [
            ("YW5uOnNlY3JldA==", Some(("ann", "secret"))),
            ("YW5uOnNlY3JldA", Some(("ann", "secret"))),
            ("YW5uOg==", Some(("ann", ""))),
            ("OmE6Yjo=", Some(("", "a:b:"))),
            ("w6k6w6k=", Some(("é", "é"))),
            ("YW5u", None),
            ("/zph", None),
            ("", None),
            ("a:b", None),
        ] {
            let found = Credentials::decode(token);
            assert_eq!(found.as_ref().map(|found| (found.user(), found.password())), expected, "{token}");
        }
        let given = Credentials::decode("YW5uOnNlY3JldA==").unwrap();
        assert!(given.are("ann", "secret"));
        for (user, password) in [("ann", "Secret"), ("an", "nsecret"), ("ann", "secret "), ("", "")] {
            assert!(!given.are(user, password), "{user} {password}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let given = Credentials::decode("YW5uOnNlY3JldA==").unwrap();
        assert_eq!(format!("{given:?} {:?}", Token::new("secret")), r#"Credentials { user: "ann", .. } Token(…)"#);
        assert!(Token::new("secret").is("secret") && !Token::new("secret").is("secre") && !Token::new("").is("x"));
    }

    #[test]
    fn a_realm_is_quoted() {
        assert_eq!(Kind::Basic.challenge("a \"b\" \\").unwrap(), r#"Basic realm="a \"b\" \\", charset="UTF-8""#);
        assert_eq!(Kind::Bearer.challenge("chat").unwrap(), r#"Bearer realm="chat""#);
        assert!(Kind::Bearer.challenge("a\nb").is_none());
    }
}
