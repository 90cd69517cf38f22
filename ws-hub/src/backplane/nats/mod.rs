//! [`Nats`]: the backplane over NATS servers.

mod api;
mod chain;
mod config;
mod connection;
mod inbox;
mod link;
mod log;
mod permissions;
mod publish;
mod settings;
mod subject;
mod subscription;
mod wire;

use std::fmt;
use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream as _;
use tracing::error;

use self::link::NatsLink;
pub use self::settings::InvalidNats;
use self::settings::{Credentials, Settings};
use super::background::Background;
use super::{
    Backplane, BoxFuture, HistoryError, Link, Order, Outgoing, Page, Promises, PublishError, Recovery, Refusal,
    Unavailable,
};
use crate::inbound::Inbound;
use crate::options::History;
use crate::position::Position;
use crate::publication::GapCause;
use crate::topic::Topic;

/// The target of all log events.
const TARGET: &str = "ws_hub";

/// The backplane over NATS servers (feature `nats`). Topics with history need JetStream, and NATS 2.11 or newer.
///
/// ```no_run
/// use std::time::Duration;
///
/// use ws_hub::{Hub, Nats, TopicOptions};
///
/// # fn f<R: ws_session::Runtime>() -> Result<(), ws_hub::InvalidNats> {
/// let hub = Hub::builder()
///     .backplane(Nats::new("nats://localhost:4222")?)
///     .topics("chat/", TopicOptions::new().history(100, Duration::from_secs(3600)))
///     .start::<R>();
/// # Ok(())
/// # }
/// ```
///
/// # Topics
///
/// | topic | published on the subject | delivered on the subject |
/// | --- | --- | --- |
/// | without history | `ws.topic.TOPIC` | the same |
/// | with history | `ws.log.SIZE-AGE.TOPIC` | `ws.live.SIZE-AGE.TOPIC`, by the stream that has stored it |
///
/// `ws` is the [`prefix`](Self::prefix). `TOPIC` is the name as one token: visible ASCII stays as it is, but `.`, `*`, `>` and `%`;
/// every other byte is `%` and two hexadecimal digits (`chat/rust` stays, `a.b` is `a%2Eb`). `AGE` is in milliseconds.
///
/// Other programs can take part. The payload is the message, without anything around it. A message that another program publishes
/// on these subjects is a publication: text if it is UTF-8, else binary, without a key. Where it gets lost between servers, only
/// a topic with history notices. In a publication of a hub, the kind and the publisher's own sequence number are in the reply
/// subject (`ws-hub.…`, where nobody listens) or, with history, in the header `Ws-Hub`; a key is in the header `Ws-Key`.
///
/// # History
///
/// There is one stream for each combination of size and age among the options. The first instance that needs it makes it:
/// `WS_HUB_SIZE-AGE_EPOCH`, with at most `SIZE` messages of a subject, none older than `AGE`. Each publication is sent on to
/// subscribers by the stream ("republish"), so subscribers cost no consumers. Options that change lead to another stream, and the
/// topics begin anew; delete the old stream by hand. So they do if a stream is deleted, or was in memory and the server has restarted.
///
/// A stream that is there already is used if it republishes, allows direct access, and keeps as much as the options say. Else
/// history is refused, and the log says why.
///
/// An idempotency key is remembered for 2 minutes, or for the age if that is shorter.
///
/// Only streams may publish on `ws.live.>`: a position that is forged there is believed.
///
/// Deleting single messages, or those of one subject, by hand is not noticed by a client that subscribed when the topic had no
/// publication, and has got none yet.
///
/// # Publishing
///
/// Without history, a publication is accepted when the server has handled it. It is not stored: in a cluster, it can be lost
/// on its way to other servers, and their instances notice the missing sequence number with the publisher's next publication.
/// With history, it is accepted when the stream has stored it. The server's `max_payload` (1 MiB, headers among it) limits it.
#[derive(Clone)]
#[must_use = "a hub needs it"]
pub struct Nats {
    settings: Settings,
}

impl Nats {
    /// A backplane over these servers: one URL, or several with commas between them, from which one is chosen at random. The
    /// schemes are `nats` and `tls`. Credentials can be in the URL: `nats://user:password@host`, `nats://token@host`.
    ///
    /// # Errors
    ///
    /// If a URL is not one of a NATS server.
    pub fn new(urls: &str) -> Result<Self, InvalidNats> {
        Settings::new(urls).map(|settings| Self { settings })
    }

    /// Does without JetStream. There is no history then, whatever the options of topics say.
    pub fn core(mut self) -> Self {
        self.settings.has_history = false;
        self
    }

    /// Sets the token to authenticate with.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.settings.credentials = Some(Credentials::Token(token.into()));
        self
    }

    /// Sets the user and the password to authenticate with.
    pub fn user(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.settings.credentials = Some(Credentials::User(user.into(), password.into()));
        self
    }

    /// Sets the file to authenticate with, which has a JWT and a key. It is read at each connection. Needs the feature
    /// `nats-credentials`.
    #[cfg(feature = "nats-credentials")]
    pub fn credentials_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.credentials = Some(Credentials::File(path.into()));
        self
    }

    /// Connects over TLS only. Without it, TLS is used if the server requires it or the URL has the scheme `tls`.
    pub fn require_tls(mut self) -> Self {
        self.settings.tls_required = true;
        self
    }

    /// Trusts the certificates in a PEM file, instead of those of the operating system. For more files, call it again.
    pub fn root_certificates(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.root_certificates.push(path.into());
        self
    }

    /// Sets the client's certificate and key for TLS: PEM files.
    pub fn client_certificate(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.settings.client_certificate = Some((certificate.into(), key.into()));
        self
    }

    /// Sets the name of the connections, which the server's monitoring shows. Default `ws-hub`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// Sets the beginning of the subjects on which the server's answers arrive. Default `_INBOX`. A user that may subscribe to
    /// few subjects needs it.
    pub fn inbox_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.settings.inbox_prefix = Some(prefix.into());
        self
    }

    /// Sets the beginning of all subjects: one or more tokens. Default `ws`. Hubs with different prefixes know nothing of each
    /// other. All instances of a hub must have the same. What no subject can have is encoded as in names of topics.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        let prefix = prefix.into();
        let tokens: Vec<_> = prefix.split('.').filter(|token| !token.is_empty()).map(subject::encode).collect();
        self.settings.prefix = tokens.join(".");
        self
    }

    /// Sets the beginning of the names of streams. Default `WS_HUB`. It counts when a stream is made. Letters, digits,
    /// `-` and `_` are kept of it.
    pub fn stream(mut self, name: impl Into<String>) -> Self {
        let is_allowed = |character: &char| character.is_ascii_alphanumeric() || "-_".contains(*character);
        self.settings.stream = name.into().chars().filter(is_allowed).collect();
        self
    }

    /// Sets the number of servers that store each stream, 1 to 5. Default 1. It counts when a stream is made: later, use
    /// `nats stream edit`.
    pub fn replicas(mut self, servers: usize) -> Self {
        self.settings.replicas = servers;
        self
    }

    /// Stores streams in memory, not in files: a restart of the server loses them, unless another one has them, too. It counts
    /// when a stream is made.
    pub fn in_memory(mut self) -> Self {
        self.settings.in_memory = true;
        self
    }

    /// Limits the bytes of each stream. The oldest publications are removed above it. Default no limit but the server's. It counts
    /// when a stream is made. A stream that has a limit is refused without it.
    pub fn max_stream_bytes(mut self, bytes: u64) -> Self {
        self.settings.max_bytes = Some(bytes);
        self
    }
}

impl Backplane for Nats {
    fn promises(&self) -> Promises {
        let promises = Promises { order: Order::PerPublisher, many_instances: true, ..Promises::new("nats") };
        if !self.settings.has_history {
            return promises;
        }
        let recovery = if self.settings.in_memory { Recovery::Instances } else { Recovery::Broker };
        Promises { recovery: Some(recovery), conditional: true, idempotent: true, ..promises }
    }

    fn open(&self, inbound: Inbound) -> Box<dyn Link> {
        match Background::new() {
            Ok(background) => Box::new(NatsLink::open(Arc::new(self.settings.clone()), inbound, background)),
            Err(problem) => {
                error!(target: TARGET, "no thread for NATS: {problem}");
                inbound.lost(GapCause::BrokerLost);
                Box::new(Nothing)
            }
        }
    }
}

/// Without credentials.
impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<_> = self.settings.servers.iter().map(|server| server.as_url_str()).collect();
        let mut debug = f.debug_struct("Nats");
        debug.field("servers", &servers).field("prefix", &self.settings.prefix);
        debug.field("has_history", &self.settings.has_history).finish_non_exhaustive()
    }
}

/// The next message of a subscription.
async fn next(subscriber: &mut async_nats::Subscriber) -> Option<async_nats::Message> {
    poll_fn(|cx| Pin::new(&mut *subscriber).poll_next(cx)).await
}

/// The link of a process that can start no thread.
struct Nothing;

impl Link for Nothing {
    fn publish(&self, _: &Topic, _: Outgoing) -> BoxFuture<'static, Result<Option<Position>, PublishError>> {
        Box::pin(std::future::ready(Err(PublishError::Refused(Refusal::Unavailable { locally: 0 }))))
    }

    fn subscribe(&self, _: &Topic, _: Option<&History>) -> BoxFuture<'static, Result<Option<Position>, Unavailable>> {
        Box::pin(std::future::ready(Err(Unavailable)))
    }

    fn unsubscribe(&self, _: &Topic) {}

    fn history(&self, _: &Topic, _: &History, _: Position, _: usize) -> BoxFuture<'static, Result<Page, HistoryError>> {
        Box::pin(std::future::ready(Err(HistoryError::Unavailable)))
    }

    fn latest(&self, _: &Topic, _: &History, _: usize) -> BoxFuture<'static, Result<Page, HistoryError>> {
        Box::pin(std::future::ready(Err(HistoryError::Unavailable)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_credential_is_shown() {
        let nats = Nats::new("nats://me:hidden1@one").unwrap().token("hidden2").user("hidden3", "hidden4");
        let text = format!("{nats:?}");
        assert!(text.contains("one") && !text.contains("hidden") && !text.contains("me:"), "{text}");
    }

    #[test]
    fn what_is_promised_depends_on_the_settings() {
        let nats = Nats::new("localhost").unwrap();
        let promises = nats.promises();
        assert_eq!(
            (promises.recovery, promises.conditional, promises.idempotent),
            (Some(Recovery::Broker), true, true)
        );
        assert_eq!(nats.clone().in_memory().promises().recovery, Some(Recovery::Instances));
        let core = nats.core().promises();
        assert_eq!((core.recovery, core.conditional, core.idempotent), (None, false, false));
        assert!(core.many_instances);
    }
}
