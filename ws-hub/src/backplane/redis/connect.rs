//! Connecting: finding the master, and checks of it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, PushInfo, RedisError, RedisResult, Value, cmd};
use tracing::{debug, warn};

use super::TARGET;
use super::settings::Settings;

/// Redis 7.0, for the flags of scripts.
const OLDEST: u32 = 7;

/// The connections to a broker: one for what is subscribed, and one for everything else, because the broker's limit for
/// subscribers must not count answers.
pub(super) struct Connections {
    pub(super) live: MultiplexedConnection,
    pub(super) commands: MultiplexedConnection,
    /// The address of the master, if a Sentinel named it.
    pub(super) master: Option<(String, u16)>,
}

/// Why there is no connection.
pub(super) enum ConnectError {
    Redis(RedisError),
    TimedOut,
    Unfit(String),
}

impl From<RedisError> for ConnectError {
    fn from(error: RedisError) -> Self {
        Self::Redis(error)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redis(error) => error.fmt(f),
            Self::TimedOut => f.write_str("it does not answer"),
            Self::Unfit(reason) => f.write_str(reason),
        }
    }
}

/// Connects, and checks that it is a master that can be used. `on_push` gets what arrives, `on_end` is called when the connection
/// for commands breaks.
pub(super) async fn connect(
    settings: &Settings,
    sentinel: &mut Sentinel,
    on_push: impl Fn(PushInfo) + Send + Sync + 'static,
    on_end: impl Fn() + Send + Sync + 'static,
) -> Result<Connections, ConnectError> {
    let attempt = async {
        let (client, master) = match &settings.sentinels {
            None => (settings.broker()?, None),
            Some(_) => {
                let master = sentinel.master(settings).await?;
                (settings.broker_at(&master.0, master.1)?, Some(master))
            }
        };
        let mut commands = open(
            &client,
            Arc::new(move |push: PushInfo| {
                if push.kind == ::redis::PushKind::Disconnection {
                    on_end();
                }
            }),
        )
        .await?;
        check(&mut commands).await?;
        let live = open(&client, Arc::new(on_push)).await?;
        Ok(Connections { live, commands, master })
    };
    match tokio::time::timeout(settings.connect_timeout, attempt).await {
        Ok(result) => result,
        Err(_) => {
            sentinel.give_up();
            Err(ConnectError::TimedOut)
        }
    }
}

async fn open(
    client: &Client,
    on_push: Arc<impl Fn(PushInfo) + Send + Sync + 'static>,
) -> RedisResult<MultiplexedConnection> {
    let push = move |push| {
        on_push(push);
        Ok::<(), ()>(())
    };
    // How long to wait is decided where one waits.
    let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
    client.get_multiplexed_async_connection_with_config(&config.set_push_sender(push)).await
}

async fn check(connection: &mut MultiplexedConnection) -> Result<(), ConnectError> {
    // The rest may be forbidden, but not this. It is refused while data is loaded.
    cmd("PING").query_async::<()>(connection).await?;
    if let Ok(text) = cmd("INFO").arg("server").query_async::<String>(connection).await {
        let facts: HashMap<_, _> = text.lines().filter_map(|line| line.split_once(':')).collect();
        let fact = |names: [&str; 2]| names.into_iter().find_map(|name| facts.get(name)).map(|fact| fact.trim());
        match fact(["redis_mode", "server_mode"]) {
            Some("cluster") => return Err(unfit("Redis Cluster is not supported")),
            Some("sentinel") => return Err(unfit("it is a Sentinel: its URL begins with redis+sentinel://")),
            _ => {}
        }
        let version = fact(["redis_version", "valkey_version"]).unwrap_or_default();
        if version.split('.').next().and_then(|major| major.parse().ok()).is_some_and(|major: u32| major < OLDEST) {
            return Err(ConnectError::Unfit(format!("Redis {version} is too old: {OLDEST}.0 or newer is needed")));
        }
    }
    if is_replica(connection).await? {
        return Err(unfit("it is a replica: what is published there does not reach the others"));
    }
    Ok(())
}

fn unfit(reason: &str) -> ConnectError {
    ConnectError::Unfit(reason.to_owned())
}

/// Whether it is a replica now. A broker that may not be asked is taken for a master.
pub(super) async fn is_replica(connection: &mut MultiplexedConnection) -> RedisResult<bool> {
    match cmd("ROLE").query_async::<Vec<Value>>(connection).await {
        Ok(role) => Ok(role.first().is_some_and(|name| matches!(name, Value::BulkString(name) if name == b"slave"))),
        Err(error) if error.is_io_error() => Err(error),
        Err(_) => cmd("PING").query_async::<()>(connection).await.map(|()| false),
    }
}

/// Says what of the broker's settings can lose publications.
pub(super) async fn warn_of_settings(connection: &mut MultiplexedConnection, max_publication: usize) {
    let mut ask = cmd("CONFIG");
    ask.arg("GET").arg("maxmemory").arg("maxmemory-policy").arg("client-output-buffer-limit");
    let config: HashMap<String, String> = match ask.query_async(connection).await {
        Ok(config) => config,
        Err(error) => return debug!(target: TARGET, "the settings of the broker are not known: {error}"),
    };
    for warning in warnings(&config, max_publication) {
        warn!(target: TARGET, "{warning}");
    }
}

fn warnings(config: &HashMap<String, String>, max_publication: usize) -> Vec<String> {
    let value = |name| config.get(name).map_or("", String::as_str);
    let mut warnings = Vec::new();
    let policy = value("maxmemory-policy");
    if value("maxmemory") != "0" && !matches!(policy, "" | "noeviction") {
        warnings.push(format!(
            "the broker deletes histories of topics when its memory is full: maxmemory-policy is {policy}, not noeviction"
        ));
    }
    let words: Vec<_> = value("client-output-buffer-limit").split_whitespace().collect();
    let pubsub = words.iter().position(|word| *word == "pubsub").and_then(|at| words.get(at + 1..at + 4));
    if let Some([hard, soft, seconds]) = pubsub {
        // Redis rounds up what it allocates for a publication, and more than one can wait.
        let least = max_publication.saturating_mul(4);
        for (name, limit) in [("hard", hard), ("soft", soft)] {
            let is_short = limit.parse().is_ok_and(|limit: usize| limit > 0 && limit < least);
            if is_short && (name == "hard" || *seconds != "0") {
                warnings.push(format!(
                    "the broker closes subscribers with {limit} bytes waiting (client-output-buffer-limit pubsub, {name}), \
                     but a publication may have {max_publication}: set it to {least} or more"
                ));
            }
        }
    }
    warnings
}

/// The connection to one of the Sentinels.
#[derive(Default)]
pub(super) struct Sentinel {
    connection: Option<MultiplexedConnection>,
    /// The one to ask next.
    next: usize,
}

impl Sentinel {
    /// The address of the master now.
    pub(super) async fn master(&mut self, settings: &Settings) -> Result<(String, u16), ConnectError> {
        let Some(sentinels) = &settings.sentinels else { return Err(unfit("there are no Sentinels")) };
        let mut reason = unfit("no Sentinel answers");
        for _ in 0..sentinels.addresses.len().max(1) {
            match self.ask(settings, sentinels).await {
                Ok(Some(master)) => return Ok(master),
                Ok(None) => reason = ConnectError::Unfit(format!("no Sentinel knows {:?}", sentinels.service)),
                Err(error) => reason = error.into(),
            }
            self.give_up();
        }
        Err(reason)
    }

    async fn ask(
        &mut self,
        settings: &Settings,
        sentinels: &super::settings::Sentinels,
    ) -> RedisResult<Option<(String, u16)>> {
        if self.connection.is_none() {
            let (host, port) = &sentinels.addresses[self.next % sentinels.addresses.len()];
            let client = settings.sentinel(host, *port, sentinels.password.as_deref())?;
            // One that is frozen must leave time for the others.
            let time = settings.connect_timeout / 4;
            let config =
                AsyncConnectionConfig::new().set_connection_timeout(Some(time)).set_response_timeout(Some(time));
            self.connection = Some(client.get_multiplexed_async_connection_with_config(&config).await?);
        }
        let Some(connection) = &mut self.connection else { return Ok(None) };
        let mut ask = cmd("SENTINEL");
        ask.arg("get-master-addr-by-name").arg(&sentinels.service).query_async(connection).await
    }

    /// The next one is asked.
    pub(super) fn give_up(&mut self) {
        self.connection = None;
        self.next = self.next.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warned(maxmemory: &str, policy: &str, limits: &str, max_publication: usize) -> usize {
        let config = [("maxmemory", maxmemory), ("maxmemory-policy", policy), ("client-output-buffer-limit", limits)];
        let config = config.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        warnings(&config, max_publication).len()
    }

    #[test]
    fn settings_that_lose_publications_are_told() {
        let default = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60";
        assert_eq!(warned("0", "noeviction", default, 1 << 20), 0);
        assert_eq!(warned("0", "allkeys-lru", default, 1 << 20), 0);
        assert_eq!(warned("1000", "noeviction", default, 1 << 20), 0);
        assert_eq!(warned("1000", "volatile-ttl", default, 1 << 20), 1);
        assert_eq!(warned("0", "noeviction", default, 4 << 20), 1);
        assert_eq!(warned("0", "noeviction", default, 16 << 20), 2);
        assert_eq!(warned("0", "noeviction", "pubsub 0 0 0", 16 << 20), 0);
        assert_eq!(warned("0", "noeviction", "pubsub 0 1000 0", 16 << 20), 0);
        assert_eq!(warned("", "", "", 1 << 20), 0);
    }
}
