//! What the peer has taken, as the transport tells.

use alloc::boxed::Box;
use core::time::Duration;

use crate::connection::Connection;
use crate::in_flight::{InFlight, Taken};
use crate::time::Timestamp;
use crate::timer::Timer;

/// While the transport takes no more, it is asked this often at the most: asking costs a system call.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// The deadlines that run from what the peer has taken.
const FROM_TAKEN: [Timer; 4] = [Timer::PingAgain, Timer::Pong, Timer::WriteStall, Timer::Close];

impl Connection {
    /// Whether the connection would act on what the transport knows, by [`set_in_flight`](Self::set_in_flight): when a
    /// deadline that runs from what the peer has taken is due, and now and then while the transport takes no more. Ask before
    /// [`poll_timeout`](Self::poll_timeout) and [`handle_timeout`](Self::handle_timeout). For a transport that does not know,
    /// it can be ignored.
    #[inline]
    pub fn wants_in_flight(&self, now: Timestamp) -> bool {
        let is_due = |timer| self.timers.get(timer).is_some_and(|deadline| deadline <= now);
        FROM_TAKEN.into_iter().any(is_due)
            || (self.timers.get(Timer::WriteStall).is_some()
                && self.taken.as_ref().is_none_or(|taken| taken.told_at() + ASK_EVERY <= now))
    }

    /// Tells what of all that was written is still on its way to the peer. Without it, what was written counts as taken.
    pub fn set_in_flight(&mut self, in_flight: InFlight, now: Timestamp) {
        let written = self.sender.outgoing().written();
        let Some(taken) = &mut self.taken else {
            self.taken = Some(Box::new(Taken::new(in_flight, written, now)));
            return;
        };
        let (before, edge) = (taken.position(), taken.window_edge());
        taken.update(in_flight, written, now);
        // What the peer's system takes behind a ping is no sign of its application, unless that makes room for more.
        let moved_towards_ping =
            taken.position() > before && self.keepalive.first_end().is_some_and(|end| before < end);
        if moved_towards_ping || taken.window_edge() > edge {
            self.moved_at = now;
        }
    }

    /// How much of all that was ever queued the peer has taken, as far as is known.
    pub(super) fn taken(&self) -> u64 {
        self.taken.as_ref().map_or_else(|| self.sender.outgoing().written(), |taken| taken.position())
    }

    /// Changes whenever the transport, or the peer behind it, has taken something.
    pub(super) fn taking(&self) -> u64 {
        self.sender.outgoing().written() + self.taken.as_ref().map_or(0, |taken| taken.progress())
    }
}
