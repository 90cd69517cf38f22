//! The opening handshakes in progress, in the order in which they began.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::task::Waker;
use std::time::Duration;

use ws_proto::Timestamp;

/// All of them, and the number for each address.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    /// By their IDs, which grow. Most end in the order in which they began.
    pending: VecDeque<PendingHandshake>,
    last_id: u64,
    /// By address.
    sources: Vec<(IpAddr, usize)>,
    /// The number of them that were told to make room.
    displaced: usize,
    /// The number of them that will become connections.
    admitted: usize,
}

#[derive(Debug)]
pub(super) struct PendingHandshake {
    id: u64,
    /// The time at which it began, by the server's timer.
    since: Timestamp,
    /// The address for which it counts.
    pub(super) source: Option<IpAddr>,
    /// Whether the client has sent anything, apart from TLS.
    pub(super) heard: bool,
    /// Whether hooks of the server are deciding on its request.
    pub(super) deciding: bool,
    /// Whether it will become a connection.
    admitted: bool,
    /// Whether it was told to make room.
    pub(super) displaced: bool,
    /// The waker of its task, for a shutdown and for making room.
    pub(super) waker: Option<Waker>,
}

impl PendingHandshake {
    /// Whether it waits for its client, and so can make room for another.
    fn waits(&self) -> bool {
        !self.admitted && !self.displaced && !self.deciding
    }
}

impl Handshakes {
    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// The number of them that will become connections.
    pub(super) fn admitted(&self) -> usize {
        self.admitted
    }

    /// The number of them that count for this address.
    pub(super) fn of(&self, source: IpAddr) -> usize {
        self.place_of(source).ok().and_then(|place| self.sources.get(place)).map_or(0, |&(_, count)| count)
    }

    fn place_of(&self, source: IpAddr) -> Result<usize, usize> {
        self.sources.binary_search_by_key(&source, |&(source, _)| source)
    }

    /// Adds a handshake, and returns its ID.
    pub(super) fn begin(&mut self, source: Option<IpAddr>, since: Timestamp) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        let (heard, deciding, admitted, displaced) = (false, false, false, false);
        self.pending.push_back(PendingHandshake {
            id,
            since,
            source,
            heard,
            deciding,
            admitted,
            displaced,
            waker: None,
        });
        if let Some(source) = source {
            match self.place_of(source) {
                Ok(place) => self.sources[place].1 += 1,
                Err(place) => self.sources.insert(place, (source, 1)),
            }
        }
        id
    }

    /// Removes a handshake that has ended or has become a connection.
    pub(super) fn end(&mut self, id: u64) {
        let Some(handshake) = self.place(id).and_then(|place| self.pending.remove(place)) else { return };
        self.admitted -= usize::from(handshake.admitted);
        self.displaced -= usize::from(handshake.displaced);
        if let Some(source) = handshake.source
            && let Ok(place) = self.place_of(source)
        {
            self.sources[place].1 -= 1;
            if self.sources[place].1 == 0 {
                self.sources.remove(place);
            }
        }
        // Memory that was allocated behind that of thousands of connections would keep the allocator from returning theirs.
        if self.pending.is_empty() {
            self.pending = VecDeque::new();
            self.sources = Vec::new();
        }
    }

    fn place(&self, id: u64) -> Option<usize> {
        self.pending.binary_search_by_key(&id, |handshake| handshake.id).ok()
    }

    pub(super) fn get(&self, id: u64) -> Option<&PendingHandshake> {
        self.place(id).and_then(|place| self.pending.get(place))
    }

    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut PendingHandshake> {
        self.place(id).and_then(|place| self.pending.get_mut(place))
    }

    /// Records that a handshake will become a connection.
    pub(super) fn admit(&mut self, id: u64) {
        if let Some(handshake) = self.get_mut(id) {
            handshake.admitted = true;
            self.admitted += 1;
        }
    }

    /// Takes the wakers of all their tasks.
    pub(super) fn take_wakers(&mut self) -> Vec<Waker> {
        self.pending.iter_mut().filter_map(|handshake| handshake.waker.take()).collect()
    }

    /// The time at which the oldest began that waits for its client. `None` while one is still making room.
    pub(super) fn oldest_waiting(&self) -> Option<Timestamp> {
        let oldest = self.pending.iter().find(|handshake| handshake.waits())?;
        (self.displaced == 0).then_some(oldest.since)
    }

    /// Tells a handshake to make room that has waited for its client for this time: the oldest without any input, otherwise
    /// the oldest. Returns whether there is one, with the waker of its task. There is none while one is still making room.
    pub(super) fn displace(&mut self, now: Timestamp, grace: Duration) -> (bool, Option<Waker>) {
        let mut chosen = None;
        if self.displaced == 0 {
            for (place, handshake) in self.pending.iter().enumerate().filter(|(_, handshake)| handshake.waits()) {
                if handshake.since + grace > now {
                    break;
                }
                chosen = chosen.or(Some(place));
                if !handshake.heard {
                    chosen = Some(place);
                    break;
                }
            }
        }
        self.displace_at(chosen)
    }

    /// Tells the oldest handshake from this address to make room, if it has waited for its client for this time. Returns
    /// whether there is one, with the waker of its task.
    pub(super) fn displace_one_of(&mut self, source: IpAddr, now: Timestamp, grace: Duration) -> (bool, Option<Waker>) {
        let is_one = |handshake: &PendingHandshake| handshake.source == Some(source) && handshake.waits();
        let oldest = self.pending.iter().position(is_one);
        let is_due = |&place: &usize| self.pending[place].since + grace <= now;
        self.displace_at(oldest.filter(is_due))
    }

    fn displace_at(&mut self, place: Option<usize>) -> (bool, Option<Waker>) {
        let Some(handshake) = place.and_then(|place| self.pending.get_mut(place)) else { return (false, None) };
        handshake.displaced = true;
        self.displaced += 1;
        (true, handshake.waker.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(5);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_secs(seconds)
    }

    fn source(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn they_count_for_their_addresses_until_they_end() {
        let mut handshakes = Handshakes::default();
        let ids = [2, 1, 2, 3].map(|last| handshakes.begin(Some(source(last)), at(0)));
        let unnamed = handshakes.begin(None, at(0));
        handshakes.admit(ids[0]);
        let counts = |handshakes: &Handshakes| [0, 1, 2, 3, 4].map(|last| handshakes.of(source(last)));
        assert_eq!((counts(&handshakes), handshakes.len(), handshakes.admitted()), ([0, 1, 2, 1, 0], 5, 1));
        handshakes.end(ids[1]);
        handshakes.end(ids[1]);
        assert_eq!((counts(&handshakes), handshakes.len(), handshakes.admitted()), ([0, 0, 2, 1, 0], 4, 1));
        handshakes.end(ids[0]);
        assert_eq!((counts(&handshakes), handshakes.len(), handshakes.admitted()), ([0, 0, 1, 1, 0], 3, 0));
        [ids[3], unnamed, ids[2]].into_iter().for_each(|id| handshakes.end(id));
        assert_eq!((counts(&handshakes), handshakes.is_empty()), ([0; 5], true));
        assert!(handshakes.sources.is_empty());
    }

    #[test]
    fn the_last_leaves_no_memory_behind() {
        let mut handshakes = Handshakes::default();
        let source = |n: u32| Some(IpAddr::from(n.to_be_bytes()));
        let ids: Vec<u64> = (0..10_000).map(|n| handshakes.begin(source(n), at(0))).collect();
        assert!(handshakes.pending.capacity() >= 10_000 && handshakes.sources.capacity() >= 10_000);
        ids.into_iter().for_each(|id| handshakes.end(id));
        assert_eq!((handshakes.pending.capacity(), handshakes.sources.capacity()), (0, 0));
    }

    #[test]
    fn the_oldest_that_is_silent_makes_room_first() {
        let mut handshakes = Handshakes::default();
        let ids = [0, 1, 2, 3].map(|seconds| handshakes.begin(Some(source(1)), at(seconds)));
        handshakes.get_mut(ids[1]).unwrap().heard = true;
        handshakes.admit(ids[0]);
        assert_eq!(handshakes.oldest_waiting(), Some(at(1)));
        assert!(!handshakes.displace(at(5), GRACE).0);
        assert!(handshakes.displace(at(7), GRACE).0);
        assert!(handshakes.get_mut(ids[2]).unwrap().displaced);
        // One at a time.
        assert_eq!(handshakes.oldest_waiting(), None);
        assert!(!handshakes.displace(at(9), GRACE).0);
        handshakes.end(ids[2]);
        handshakes.get_mut(ids[3]).unwrap().heard = true;
        assert!(handshakes.displace(at(9), GRACE).0);
        assert!(handshakes.get_mut(ids[1]).unwrap().displaced);
    }

    #[test]
    fn one_of_an_address_makes_room_for_another_of_it() {
        let mut handshakes = Handshakes::default();
        let ids = [1, 2, 2].map(|last| handshakes.begin(Some(source(last)), at(0)));
        assert!(!handshakes.displace_one_of(source(2), at(4), GRACE).0);
        assert!(!handshakes.displace_one_of(source(3), at(5), GRACE).0);
        assert!(handshakes.displace_one_of(source(2), at(5), GRACE).0);
        assert!(handshakes.displace_one_of(source(2), at(5), GRACE).0);
        assert!(!handshakes.displace_one_of(source(2), at(5), GRACE).0);
        assert_eq!(ids.map(|id| handshakes.get_mut(id).unwrap().displaced), [false, true, true]);
    }
}
