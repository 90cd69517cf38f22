//! Two connections back to back over a link, on one virtual clock.

use std::time::Duration;

use ws_proto::{Buf, Config, Outcome, Role, Timestamp, TransportState};

use super::*;

pub(crate) const SERVER: usize = 0;
pub(crate) const CLIENT: usize = 1;

/// Both ends and the link between them.
pub(crate) struct Pair {
    pub(crate) now: Timestamp,
    pub(crate) ends: [End; 2],
    /// The direction away from each end.
    pub(crate) wires: [Wire; 2],
    /// Whether bytes for an end that has let go break the connection, as in TCP.
    pub(crate) resets: bool,
    /// Whether an end sends back each message.
    pub(crate) echoes: [bool; 2],
    /// The messages that each end has sent, as far as they are echoes.
    pub(crate) said: [Vec<Seen>; 2],
    /// The time at which each end has said that it will write no more, by a half-close or by letting go.
    pub(crate) finished: [Option<Timestamp>; 2],
    /// The time at which each end has let go of the transport.
    pub(crate) gone: [Option<Timestamp>; 2],
}

impl Pair {
    pub(crate) fn new(config: &Config) -> Self {
        Self::with(config, config, Duration::from_millis(20), 10_000_000, 1500)
    }

    pub(crate) fn with(server: &Config, client: &Config, latency: Duration, rate: u64, piece: usize) -> Self {
        let link = Link { latency, rate, piece, window: usize::MAX, dies: None };
        Self::over([End::new(Role::Server, server), End::new(Role::Client, client)], [link.clone(), link])
    }

    pub(crate) fn over(mut ends: [End; 2], links: [Link; 2]) -> Self {
        ends.iter_mut().for_each(|end| end.writable = false);
        let mut pair = Self {
            now: Timestamp::ZERO,
            ends,
            wires: links.map(Wire::new),
            resets: false,
            echoes: [false; 2],
            said: [vec![], vec![]],
            finished: [None; 2],
            gone: [None; 2],
        };
        pair.die_if_due(SERVER);
        pair.die_if_due(CLIENT);
        pair
    }

    #[track_caller]
    pub(crate) fn run_until(&mut self, then: Timestamp) {
        let mut rounds = 0;
        loop {
            for i in [SERVER, CLIENT] {
                self.ends[i].now = self.now;
                self.exchange(i);
                self.wake(i);
                self.follow(i);
            }
            rounds += 1;
            assert!(rounds < 1_000_000, "it never comes to rest");
            match [SERVER, CLIENT].into_iter().filter_map(|i| self.next_time(i)).min() {
                Some(next) if next <= then => self.now = self.now.max(next),
                _ => break,
            }
        }
        self.now = then;
        self.ends.iter_mut().for_each(|end| end.now = then);
    }

    #[track_caller]
    pub(crate) fn run(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    /// Writes and reads what can be written and read now.
    #[track_caller]
    pub(crate) fn exchange(&mut self, i: usize) {
        while self.write(i) || self.deliver(i) {}
    }

    /// Moves a piece from an end onto its wire, if there is one and the wire takes it.
    #[track_caller]
    fn write(&mut self, i: usize) -> bool {
        let (end, wire) = (&mut self.ends[i], &mut self.wires[i]);
        let room = wire.room(self.now);
        if self.gone[i].is_some() || room == 0 || !end.connection.outgoing().has_remaining() {
            return false;
        }
        if wire.is_broken() {
            end.fail();
            return true;
        }
        assert_eq!(self.finished[i], None, "something follows a half-close");
        let before = end.written.len();
        end.take(room.min(wire.left()));
        wire.carry(self.now, end.written[before..].to_vec());
        self.die_if_due(i);
        true
    }

    fn die_if_due(&mut self, i: usize) {
        let Some(death) = self.wires[i].death_due() else { return };
        match death {
            Death::Silent => {}
            Death::End => self.wires[i].put(self.now, Parcel::End),
            Death::Reset => self.wires.iter_mut().for_each(|wire| wire.put(self.now, Parcel::Reset)),
        }
        self.wires[i].die(death);
    }

    /// Passes a parcel that has arrived to an end.
    fn deliver(&mut self, i: usize) -> bool {
        let Some(parcel) = self.wires[1 - i].take(self.now) else { return false };
        let end = &mut self.ends[i];
        match parcel {
            Parcel::Bytes(_) if self.gone[i].is_some() && self.resets => self.wires[i].put(self.now, Parcel::Reset),
            _ if self.gone[i].is_some() => {}
            Parcel::Bytes(bytes) => {
                let before = end.seen.len();
                end.read(bytes);
                if self.echoes[i] {
                    self.echo(i, before);
                }
            }
            Parcel::End => end.eof(),
            Parcel::Reset => end.fail(),
        }
        true
    }

    /// Sends back the messages from the event with this number on. They are refused if the connection is closing by now.
    fn echo(&mut self, i: usize, from: usize) {
        let end = &mut self.ends[i];
        for event in &end.seen[from..] {
            let sent = match event {
                Seen::Text(text) => end.connection.send_text(text),
                Seen::Binary(bytes) => end.connection.send_binary(bytes),
                _ => continue,
            };
            self.said[i].extend(sent.is_ok().then(|| event.clone()));
        }
    }

    /// Acts on an end's deadline, if it is due.
    #[track_caller]
    pub(crate) fn wake(&mut self, i: usize) {
        let end = &mut self.ends[i];
        if self.gone[i].is_none() && end.deadline().is_some_and(|deadline| deadline <= self.now) {
            end.wake();
        }
    }

    /// Does what an end asks of its transport.
    #[track_caller]
    pub(crate) fn follow(&mut self, i: usize) {
        let transport = self.ends[i].transport();
        if transport != TransportState::Open && self.finished[i].is_none() {
            self.finished[i] = Some(self.now);
            self.wires[i].put(self.now, Parcel::End);
        }
        if transport == TransportState::Closed && self.gone[i].is_none() {
            self.gone[i] = Some(self.now);
        }
    }

    /// The time at which something happens next: at an end, or on the wire away from it.
    pub(crate) fn next_time(&mut self, i: usize) -> Option<Timestamp> {
        let (end, wire) = (&mut self.ends[i], &self.wires[i]);
        let mut times = vec![wire.arrives_at()];
        if self.gone[i].is_none() {
            times.push(end.deadline());
            times.push(wire.takes_at().filter(|_| end.connection.outgoing().has_remaining()));
        }
        times.into_iter().flatten().min()
    }

    pub(crate) fn cut(&mut self) {
        self.wires.iter_mut().for_each(Wire::cut);
    }

    /// The messages that an end has received.
    #[track_caller]
    pub(crate) fn received(&self, i: usize) -> Vec<Seen> {
        let mut events = put_together(self.ends[i].before_closed());
        events.retain(|event| matches!(event, Seen::Text(_) | Seen::Binary(_)));
        events
    }

    #[track_caller]
    pub(crate) fn outcome(&self, i: usize) -> &Outcome {
        self.ends[i].outcome().expect("it has ended")
    }

    /// The codes of the frames each end has sent and received, as it reported them.
    #[track_caller]
    pub(crate) fn codes(&self, i: usize) -> (Option<u16>, Option<u16>) {
        let outcome = self.outcome(i);
        let code = |frame: &Option<ws_proto::CloseFrame>| frame.as_ref().map(|frame| frame.code.into());
        (code(&outcome.sent), code(&outcome.received))
    }

    #[track_caller]
    pub(crate) fn assert_over(&mut self) {
        for end in &mut self.ends {
            end.assert_over();
        }
        assert!(self.gone.iter().all(Option::is_some));
    }
}
