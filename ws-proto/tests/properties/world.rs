//! Two ends and a link, as a story goes.

use std::collections::VecDeque;
use std::time::Duration;

use ws_proto::{Role, Timestamp};

use super::agreement::assert_agreement;
use super::decoding::*;
use super::made_up::*;
use super::stories::*;
use crate::common::*;

/// The two ends as the story goes.
pub(crate) struct World {
    pub(crate) pair: Pair,
    parties: [Party; 2],
    /// Whether each end has begun a message that it does not complete.
    begun: [bool; 2],
    /// The time at which each end has closed, if it has.
    closed: [Option<Timestamp>; 2],
    /// The time since which an answer waits for the application.
    ending: [Option<Timestamp>; 2],
}

impl World {
    pub(crate) fn new(story: &Story) -> Self {
        let ends = [SERVER, CLIENT].map(|i| {
            let party = &story.parties[i];
            let config = config(|config| {
                config.delivery = party.delivery;
                config.limits.message = party.message_limit.or(config.limits.message);
            });
            let mut end = end([Role::Server, Role::Client][i], &config);
            end.connection.hooks().set_hold_close(party.holds_close.is_some());
            end
        });
        let mut pair = Pair::over(ends, story.links.clone());
        pair.resets = true;
        pair.echoes = story.parties.each_ref().map(|party| party.echoes);
        Self { pair, parties: story.parties.clone(), begun: [false; 2], closed: [None; 2], ending: [None; 2] }
    }

    /// Tells the story to its end.
    #[track_caller]
    pub(crate) fn run(&mut self, story: &Story) {
        let mut acts = VecDeque::new();
        let mut time = Timestamp::ZERO;
        for (wait, i, act) in &story.acts {
            time = time + *wait;
            acts.push_back((time, *i, act));
        }
        // After the last Close: that it is not answered (10 s), or is never heard of, so that the next ping (20 s) is
        // stuck (30 s) or not answered (20 s) and the end takes its time (10 s); and what is under way until then.
        let transit = |link: &Link| link.latency * 2 + Duration::from_secs(link.window.min(200_000) as u64 / link.rate);
        let slack: Duration = story.links.iter().map(transit).sum();
        let latest = time + secs(100) + slack;

        for round in 0.. {
            assert!(round < 1_000_000, "it never comes to rest");
            let now = self.pair.now;
            self.pair.ends.iter_mut().for_each(|end| end.now = now);
            while acts.front().is_some_and(|(time, ..)| *time <= now) {
                let Some((_, i, act)) = acts.pop_front() else { break };
                self.act(i, act);
            }
            for i in [SERVER, CLIENT] {
                self.pair.exchange(i);
                self.settle(i);
            }
            let Some(next) = self.next_time(acts.front().map(|(time, ..)| *time)) else { break };
            let now = now.max(next);
            self.pair.now = now;
            assert!(now <= latest, "still there at {now:?}: {:?}", self.pair.ends.each_ref().map(End::outcome));
        }
    }

    fn act(&mut self, i: usize, act: &Act) {
        let end = &mut self.pair.ends[i];
        match act {
            // It would go on with the message that does not end.
            Act::Say(Say::Fragments(_)) if self.begun[i] => {}
            Act::Say(say) => self.pair.said[i].extend(say.send(end)),
            Act::Begin(payload) => self.begun[i] |= end.connection.send_fragment(payload.message(), false).is_ok(),
            Act::Close { code, reason } => {
                if end.connection.is_open() && !end.connection.hooks().is_close_held() {
                    self.closed[i] = Some(self.pair.now);
                }
                end.close(*code, reason);
            }
            Act::Abort if end.outcome().is_none() => end.abort(),
            Act::Abort => {}
        }
    }

    /// Acts on the deadlines and on the application's answer, and does what the protocol asks of the transport.
    #[track_caller]
    fn settle(&mut self, i: usize) {
        self.pair.wake(i);
        let (end, now) = (&mut self.pair.ends[i], self.pair.now);
        if end.connection.hooks().is_close_held() {
            let since = *self.ending[i].get_or_insert(now);
            if self.parties[i].holds_close.is_some_and(|time| since + time <= now) {
                let event = end.connection.hooks().release_close(now).expect("an answer was put off");
                end.seen.push(event.into());
            }
        }
        self.pair.follow(i);
    }

    /// The time at which something happens next. `None` when both ends have let go.
    fn next_time(&mut self, act: Option<Timestamp>) -> Option<Timestamp> {
        if self.pair.gone.iter().all(Option::is_some) {
            return None;
        }
        let mut times: Vec<Timestamp> = act.into_iter().collect();
        for i in [SERVER, CLIENT] {
            times.extend(self.pair.next_time(i));
            if self.pair.gone[i].is_none() && self.pair.ends[i].connection.hooks().is_close_held() {
                times.extend(self.ending[i].zip(self.parties[i].holds_close).map(|(since, time)| since + time));
            }
        }
        Some(times.into_iter().min().expect("an end that has not let go waits for something"))
    }

    /// What holds at the end of every story.
    #[track_caller]
    pub(crate) fn assert_ended(&mut self) {
        for i in [SERVER, CLIENT] {
            self.pair.ends[i].assert_over();
            if let (Some(closed), Some(gone)) = (self.closed[i], self.pair.gone[i]) {
                assert!(gone <= closed + secs(300), "an end that closes has let go 5 minutes later");
            }
            // What arrived is what was sent, in order; and all of it, when the Close behind it arrived.
            let received = messages(&self.pair.ends[i].seen);
            assert!(self.pair.said[1 - i].starts_with(&received), "{i} has received something else");
            if self.pair.outcome(i).received.is_some() {
                assert_eq!(self.pair.said[1 - i].len(), received.len(), "what was sent before a Close comes before it");
            }
        }
        assert_agreement(self.pair.outcome(SERVER), self.pair.outcome(CLIENT));
    }
}
