//! The counters of a server: its connections, their traffic, and the opening handshakes that failed.

use std::fmt;

use http::StatusCode;
use ws_proto::{CloseCode, ClosedBy, ConnectionStats};

use crate::shared::Shared;

/// The number of different ends that are told apart. Clients choose close codes, and each one takes memory.
const MOST_ENDS: usize = 64;

/// Counters of a server since it was made. [`ServerHandle::stats`](crate::ServerHandle::stats) returns them.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ServerStats {
    /// The number of open connections.
    pub open: usize,
    /// The number of opening handshakes in progress.
    pub handshakes: usize,
    /// The number of connections that were opened.
    pub opened: u64,
    /// The number of connections that have ended.
    pub ended: u64,
    /// The traffic of all connections, open or ended.
    pub traffic: ConnectionStats,
    /// The ends of connections, by side and close code.
    pub ends: Vec<Ends>,
    /// The requests that did not become connections, by reason.
    pub failed_handshakes: Vec<FailedHandshakes>,
}

/// The number of connections that one side ended with one close code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ends {
    /// The side that ended them.
    pub by: ClosedBy,
    /// The close code of that side's Close frame: 1005 if the frame had none, 1006 if there was no frame. `None` stands for all
    /// others, once 64 different pairs of side and code were counted.
    pub code: Option<CloseCode>,
    /// The number of connections.
    pub connections: u64,
}

/// The number of opening handshakes that failed for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailedHandshakes {
    /// The reason.
    pub reason: HandshakeFailure,
    /// The number of opening handshakes.
    pub handshakes: u64,
}

/// The reason why an opening handshake did not become a connection.
///
/// Its `Display` is short, for a label: the status of a response, such as `403`, or a word such as `timeout`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeFailure {
    /// The server refused the request with this status.
    Rejected(StatusCode),
    /// A hook or a route answered with this status. This need not be a failure: a page or a health check counts here.
    Answered(StatusCode),
    /// The request did not arrive in time. Label `timeout`.
    Timeout,
    /// The client left before its request was complete, or before the connection was handed over. Label `left`.
    Left,
    /// The client left without a byte, as health checks of load balancers do. Label `silent`.
    Silent,
    /// It gave way to another client ([`Server::max_handshakes`](crate::Server::max_handshakes)). Label `displaced`.
    Displaced,
    /// The client's address had too many opening handshakes
    /// ([`Server::max_handshakes_per_ip`](crate::Server::max_handshakes_per_ip)). Label `crowded`.
    Crowded,
    /// The server was shut down. Label `shutdown`.
    Stopped,
    /// TLS failed. Label `tls`.
    Tls,
    /// The transport failed. Label `io`.
    Io,
    /// Any other reason. Label `other`.
    Other,
}

impl fmt::Display for HandshakeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rejected(status) | Self::Answered(status) => status.as_str(),
            Self::Timeout => "timeout",
            Self::Left => "left",
            Self::Silent => "silent",
            Self::Displaced => "displaced",
            Self::Crowded => "crowded",
            Self::Stopped => "shutdown",
            Self::Tls => "tls",
            Self::Io => "io",
            Self::Other => "other",
        })
    }
}

/// The counters of connections that have ended, and of failures.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) stats: ServerStats,
    /// The passes over the open connections in progress.
    passes: Vec<Pass>,
    next_pass: u64,
}

/// A pass over the open connections, which adds their counters.
#[derive(Debug)]
struct Pass {
    key: u64,
    /// Connections up to this ID have been visited.
    visited: u64,
    /// The counters of connections that ended before they were visited.
    missed: ConnectionStats,
}

/// The counters of a connection that has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Final {
    id: u64,
    traffic: ConnectionStats,
    by: ClosedBy,
    code: CloseCode,
}

impl Final {
    pub(super) fn of(connection: &Shared) -> Self {
        let state = connection.lock();
        let traffic = state.connection.stats();
        let outcome = state.lifecycle.closed().map(|closed| &closed.outcome);
        let by = outcome.map_or(ClosedBy::Us, |outcome| outcome.closed_by());
        let frame = outcome.and_then(|outcome| match by {
            ClosedBy::Us => outcome.sent.as_ref(),
            _ => outcome.received.as_ref(),
        });
        let code = frame.map_or(CloseCode::ABNORMAL, |frame| frame.code);
        Self { id: connection.info.id, traffic, by, code }
    }
}

impl Totals {
    /// Counts a connection that has ended.
    pub(super) fn end(&mut self, ended: &Final) {
        self.stats.ended += 1;
        self.stats.traffic += ended.traffic;
        for pass in &mut self.passes {
            if ended.id > pass.visited {
                pass.missed += ended.traffic;
            }
        }
        let ends = &mut self.stats.ends;
        let mut code = Some(ended.code);
        let place = |ends: &[Ends], code| ends.iter().position(|end| end.by == ended.by && end.code == code);
        let mut found = place(ends, code);
        // A peer chooses its codes, but those below 3000 are few.
        let is_chosen = ended.by == ClosedBy::Peer && u16::from(ended.code) >= 3000;
        if found.is_none() && is_chosen && ends.len() >= MOST_ENDS {
            code = None;
            found = place(ends, code);
        }
        match found.and_then(|place| ends.get_mut(place)) {
            Some(end) => end.connections += 1,
            None => ends.push(Ends { by: ended.by, code, connections: 1 }),
        }
    }

    /// Counts an opening handshake that has failed.
    pub(super) fn fail(&mut self, reason: HandshakeFailure) {
        let failed = &mut self.stats.failed_handshakes;
        match failed.iter_mut().find(|failed| failed.reason == reason) {
            Some(failed) => failed.handshakes += 1,
            None => failed.push(FailedHandshakes { reason, handshakes: 1 }),
        }
    }

    /// Begins a pass over the open connections. Until it ends, none of them is counted twice or left out.
    pub(super) fn begin_pass(&mut self) -> u64 {
        self.next_pass += 1;
        self.passes.push(Pass { key: self.next_pass, visited: 0, missed: ConnectionStats::default() });
        self.next_pass
    }

    /// Records that the connections up to this ID are visited now.
    pub(super) fn visit(&mut self, key: u64, visited: u64) {
        if let Some(pass) = self.passes.iter_mut().find(|pass| pass.key == key) {
            pass.visited = visited;
        }
    }

    /// Ends a pass. Returns the counters of the connections that ended before they were visited.
    pub(super) fn end_pass(&mut self, key: u64) -> ConnectionStats {
        let place = self.passes.iter().position(|pass| pass.key == key);
        place.map(|place| self.passes.swap_remove(place).missed).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(id: u64, code: u16) -> Final {
        let mut traffic = ConnectionStats::default();
        traffic.sent.messages = 1;
        Final { id, traffic, by: ClosedBy::Peer, code: code.into() }
    }

    #[test]
    fn a_pass_counts_a_connection_that_ends_meanwhile_once() {
        let mut totals = Totals::default();
        let pass = totals.begin_pass();
        totals.visit(pass, 10);
        totals.end(&ended(10, 1000));
        totals.end(&ended(11, 1000));
        totals.visit(pass, 20);
        totals.end(&ended(20, 1000));
        assert_eq!(totals.end_pass(pass).sent.messages, 1, "10 and 20 were visited, 11 was not");
        assert_eq!((totals.stats.traffic.sent.messages, totals.stats.ended, totals.passes.len()), (3, 3, 0));
    }

    #[test]
    fn codes_that_a_client_makes_up_take_no_memory_for_ever() {
        let mut totals = Totals::default();
        (3000..3000 + 10 * MOST_ENDS as u16).for_each(|code| totals.end(&ended(1, code)));
        totals.end(&ended(1, 3000));
        let ends = &totals.stats.ends;
        assert_eq!(ends.len(), MOST_ENDS + 1);
        assert_eq!((ends[0].code, ends[0].connections), (Some(3000.into()), 2));
        assert_eq!((ends[MOST_ENDS].code, ends[MOST_ENDS].connections), (None, 9 * MOST_ENDS as u64));
        assert_eq!(ends.iter().map(|end| end.connections).sum::<u64>(), totals.stats.ended);
    }
}
