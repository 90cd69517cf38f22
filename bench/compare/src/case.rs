//! A case that is measured: one line of `--list`, one block of the table.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Error, Result, ensure};
use load::{Deflate, Payload, Row};

/// A kind of load, and its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) kind: Kind,
    pub(crate) row: Row,
    /// Whether messages are compressed. Only some kinds have this.
    pub(crate) deflate: Option<Deflate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Messages sent back by a server.
    Echo,
    /// Connections opened, upgraded, closed.
    Upgrades,
    /// Messages published to many connections.
    FanOut,
    /// Messages taken by a client.
    Receive,
    /// Messages sent by a client.
    Send,
    /// Pings of a server that sends one a second on each connection.
    Keepalive,
    /// Memory of connections that do nothing.
    Idle,
}

/// Cases that belong together, and what they are about. The first is run when nothing is asked for.
pub(crate) const GROUPS: &[(&str, &str, &[&str])] = &[
    (
        "table",
        "servers: echoes, upgrades, fan-out, memory",
        &[
            "16B 1x1",
            "16B 64x1",
            "16B 1000x1",
            "16B 64x16",
            "125B 64x16",
            "1KiB 64x1",
            "16KiB 64x1",
            "64KiB 16x4",
            "1MiB 4x2",
            "16KiB-utf8 64x1",
            "16KiB-ascii 64x1",
            "upgrades",
            "fan-out 125B 500x1",
            "fan-out 125B 500x16",
            "idle 10000",
        ],
    ),
    (
        "client",
        "clients: taking unmasked messages, sending masked ones",
        &[
            "receive 16B",
            "receive 125B",
            "receive 1KiB",
            "receive 16KiB",
            "receive 64KiB",
            "receive 1MiB",
            "receive 16KiB-utf8",
            "receive 16KiB-ascii",
            "send 16B",
            "send 125B",
            "send 1KiB",
            "send 16KiB",
            "send 64KiB",
            "send 1MiB",
        ],
    ),
    (
        "deflate",
        "servers: compressed echoes, without and with context takeover, and their memory",
        &["deflate 1KiB-json 64x1", "takeover 1KiB-json 64x1", "deflate idle 500", "takeover idle 500"],
    ),
    (
        "flat",
        "ours: whether cost stays the same as numbers grow",
        &[
            "16B 10x1",
            "16B 10x1 of 1000",
            "16B 10x1 of 10000",
            "16B 1000x1",
            "16B 10000x1",
            "1KiB 4x1",
            "64KiB 4x1",
            "1MiB 4x1",
            "16MiB 1x1",
            "64MiB 1x1",
            "keepalive 10",
            "keepalive 1000",
            "keepalive 10000",
        ],
    ),
];

impl Case {
    /// The cases of a group.
    pub(crate) fn group(name: &str) -> Result<Vec<Self>> {
        let group = GROUPS.iter().find(|(group, ..)| *group == name);
        let (.., names) = group.with_context(|| format!("no group {name:?}; see --list"))?;
        names.iter().map(|name| name.parse()).collect()
    }

    /// How many connections it needs.
    pub(crate) fn sockets(&self) -> usize {
        self.row.open
    }
}

impl FromStr for Case {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (deflate, plain) = match text.split_once(' ') {
            Some(("deflate", plain)) => (Some(Deflate::NoTakeover), plain),
            Some(("takeover", plain)) => (Some(Deflate::Takeover), plain),
            _ => (None, text),
        };
        let (kind, row) = match plain.split_once(' ') {
            None if plain == "upgrades" => (Kind::Upgrades, "1B 1x1".to_owned()),
            Some(("fan-out", row)) => (Kind::FanOut, row.to_owned()),
            Some(("receive", message)) => (Kind::Receive, format!("{message} 1x1")),
            Some(("send", message)) => (Kind::Send, format!("{message} 1x1")),
            Some(("keepalive", connections)) => (Kind::Keepalive, format!("1B {connections}x1")),
            Some(("idle", connections)) if deflate.is_some() => (Kind::Idle, format!("1KiB-json {connections}x1")),
            Some(("idle", connections)) => (Kind::Idle, format!("16KiB {connections}x1")),
            _ => (Kind::Echo, plain.to_owned()),
        };
        let case = Self { kind, row: row.parse().with_context(|| format!("the case {text:?}"))?, deflate };
        let is_echo = matches!(kind, Kind::Echo | Kind::Idle);
        let is_binary = case.row.payload == Payload::Binary;
        ensure!(is_binary || is_echo || kind == Kind::Receive, "{text:?}: binary messages only");
        ensure!(deflate.is_none() || is_echo, "{text:?}: only echoes are compressed");
        ensure!(deflate.is_none() || case.row.open == case.row.connections, "{text:?}: none may be silent");
        Ok(case)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.deflate {
            None => {}
            Some(Deflate::NoTakeover) => f.write_str("deflate ")?,
            Some(Deflate::Takeover) => f.write_str("takeover ")?,
        }
        let row = self.row.to_string();
        let message = row.split(' ').next().unwrap_or_default();
        match self.kind {
            Kind::Echo => f.write_str(&row),
            Kind::Upgrades => f.write_str("upgrades"),
            Kind::FanOut => write!(f, "fan-out {row}"),
            Kind::Receive => write!(f, "receive {message}"),
            Kind::Send => write!(f, "send {message}"),
            Kind::Keepalive => write!(f, "keepalive {}", self.row.connections),
            Kind::Idle => write!(f, "idle {}", self.row.connections),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_case_is_printed_as_it_is_written() {
        for name in GROUPS.iter().flat_map(|(_, _, names)| names.iter()) {
            assert_eq!(name.parse::<Case>().unwrap().to_string(), **name);
        }
        for name in [
            "",
            "idle",
            "idle many",
            "send 16B 1x1",
            "send 16KiB-utf8",
            "upgrades 3",
            "deflate upgrades",
            "deflate send 16B",
        ] {
            assert!(name.parse::<Case>().is_err(), "{name}");
        }
    }
}
