//! `--backplane`: what carries chat, counter and presence between instances.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use ws_hub::{Hub, HubBuilder, SlowPolicy, TopicOptions};
use ws_tokio::Tokio;

use super::{chat, counter};

/// The environment variable that names the backplane, because a process's arguments can be seen by everyone on its machine.
const VARIABLE: &str = "WS_BACKPLANE";

/// The backplane of one instance.
const MEMORY: &str = "memory";

/// The lines of the chat that are kept, and for how long.
const LINES: usize = 200;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A visitor who closes the page is gone soon, and one who reloads it has not left.
const GRACE: Duration = Duration::from_secs(2);

/// What was given as the backplane. It may hold a password, so it is never shown.
#[derive(Clone)]
pub(super) struct BackplaneUrl(String);

impl FromStr for BackplaneUrl {
    type Err = std::convert::Infallible;

    /// Accepts everything: an error here would show the password.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for BackplaneUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BackplaneUrl(…)")
    }
}

/// The schemes of URLs, and the features that they need.
const SCHEMES: [(&str, &str); 7] = [
    ("redis", "redis"),
    ("rediss", "redis"),
    ("redis+sentinel", "redis"),
    ("rediss+sentinel", "redis"),
    ("nats", "nats"),
    ("tls", "nats"),
    ("kafka", "kafka"),
];

/// Starts the hub, over the backplane of the argument, or of the environment variable. It does not wait for a broker.
///
/// # Errors
///
/// A sentence that names the problem, without what was given.
pub(super) fn start(argument: Option<BackplaneUrl>) -> Result<Hub, String> {
    let variable = std::env::var(VARIABLE).ok().filter(|value| !value.is_empty());
    let (url, source) = match (argument, variable) {
        (Some(BackplaneUrl(url)), _) => (url, "--backplane"),
        (None, Some(url)) => (url, VARIABLE),
        (None, None) => (MEMORY.to_owned(), ""),
    };
    let hub = over(&url).map_err(|problem| format!("{source}: {problem}."))?;
    Ok(settings(hub).start::<Tokio>())
}

/// Gives the visitors of this instance time to come to another one, and tells the others that the rest have left. Without that, they
/// would learn it a minute later.
pub(super) async fn say_goodbye(hub: &Hub) {
    if hub.promises().many_instances && hub.outage().is_none() {
        tokio::time::sleep(GRACE).await;
        hub.shutdown().await;
    }
}

/// A hub over the backplane at a URL.
fn over(url: &str) -> Result<HubBuilder, String> {
    if url == MEMORY {
        return Ok(Hub::builder());
    }
    let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    match SCHEMES.iter().find(|(name, _)| scheme.as_deref() == Some(name)) {
        None => Err(
            "expected memory, or a URL that begins with redis://, rediss://, redis+sentinel://, nats:// or kafka://"
                .to_owned(),
        ),
        #[cfg(feature = "redis")]
        Some((_, "redis")) => match ws_hub::Redis::new(url) {
            Ok(redis) => Ok(Hub::builder().backplane(redis)),
            Err(error) => Err(error.to_string()),
        },
        #[cfg(feature = "nats")]
        Some((_, "nats")) => match ws_hub::Nats::new(url) {
            Ok(nats) => Ok(Hub::builder().backplane(nats)),
            Err(error) => Err(error.to_string()),
        },
        #[cfg(feature = "kafka")]
        Some((_, "kafka")) => kafka(url).map(|kafka| Hub::builder().backplane(kafka)),
        Some((name, feature)) => Err(format!(
            "this program was built without the feature {feature}, which {name}:// needs: \
             cargo install ws-command --features {feature}"
        )),
    }
}

/// Kafka at `kafka://HOST:PORT[,HOST:PORT…][/TOPIC]`.
#[cfg(feature = "kafka")]
fn kafka(url: &str) -> Result<ws_hub::Kafka, String> {
    const EXPECTED: &str = "kafka://HOST:PORT[,HOST:PORT...][/TOPIC] is expected, without a user";
    let (_, rest) = url.split_once("://").unwrap_or_default();
    let (brokers, topic) = rest.split_once('/').unwrap_or((rest, ""));
    let is_address = |broker: &str| {
        broker.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
    };
    if brokers.contains('@') || topic.contains('/') || !brokers.split(',').all(is_address) {
        return Err(EXPECTED.to_owned());
    }
    let kafka = ws_hub::Kafka::new(brokers.split(','));
    Ok(if topic.is_empty() { kafka } else { kafka.topic(topic) })
}

/// The settings of the demo, the same at all instances.
fn settings(hub: HubBuilder) -> HubBuilder {
    let kept = |size, age| TopicOptions::new().history(size, age).slow(SlowPolicy::Close);
    hub.topics(chat::TOPIC, kept(LINES, DAY))
        .topics(counter::TOPIC, kept(LINES, 365 * DAY))
        // A line of the longest message, and the time before it.
        .max_publication((1 << 20) + 64)
        .subscribe_timeout(Duration::from_secs(2))
        .presence_grace(GRACE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes() {
        assert!(over(MEMORY).is_ok());
        for (scheme, feature) in SCHEMES {
            let is_built = match feature {
                "redis" => cfg!(feature = "redis"),
                "nats" => cfg!(feature = "nats"),
                _ => cfg!(feature = "kafka"),
            };
            // The name of a database is a number; that of a service is a name.
            let path = if scheme.ends_with("sentinel") { "/main" } else { "" };
            match over(&format!("{scheme}://localhost:1234{path}")).err() {
                None => assert!(is_built, "{scheme}"),
                Some(problem) => assert!(!is_built && problem.contains(&format!("--features {feature}")), "{problem}"),
            }
        }
    }

    #[test]
    #[cfg(feature = "kafka")]
    fn brokers_of_kafka() {
        for good in ["kafka://a:1", "kafka://a:1/topic", "kafka://a:1,[::1]:2/", "KAFKA://a:65535"] {
            assert!(over(good).is_ok(), "{good}");
        }
        for bad in [
            "kafka://",
            "kafka://a",
            "kafka://a:1,",
            "kafka://:1",
            "kafka://a:65536",
            "kafka://a:1/b/c",
            "kafka://u:secret@a:1",
        ] {
            let problem = over(bad).err().unwrap();
            assert!(problem.contains("is expected") && !problem.contains("secret"), "{problem}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let url: BackplaneUrl = "redis://:secret@host".parse().unwrap();
        assert!(!format!("{url:?}").contains("secret"));
        for bad in ["redi://:secret@host", "redis://:secret@host:port", "secret", "memory://secret", ""] {
            let problem = over(bad).err().unwrap();
            assert!(!problem.contains("secret"), "{problem}");
        }
    }
}
