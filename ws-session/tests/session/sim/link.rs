//! The link in memory, as a transport of this world.

use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use ws_session::{InFlight, Transport};
pub(crate) use ws_test_support::link::LinkOptions;
use ws_test_support::link::{self, State};

use super::rng::Rng;
use super::world::add_witness;

type Lock = Arc<Mutex<State>>;
pub(crate) type Wire = link::Wire<Lock>;
pub(crate) type Peer = ws_test_support::peer::Peer<Lock, Rng>;

/// Two ends of a link, which tell where they are when everything stands still.
pub(crate) fn link(options: LinkOptions, rng: &mut Rng) -> (End, End) {
    let (a, b) = link::link::<Lock, _>(options, [rng.fork(), rng.fork()]);
    let (back, there) = a.wires();
    for wire in [there, back] {
        add_witness(move || format!("{wire:?}"));
    }
    (End(a), End(b))
}

/// One end.
pub(crate) struct End(link::End<Lock, Rng>);

impl End {
    /// What comes to this end, and what goes from it.
    pub(crate) fn wires(&self) -> (Wire, Wire) {
        self.0.wires()
    }
}

impl From<End> for link::End<Lock, Rng> {
    fn from(end: End) -> Self {
        end.0
    }
}

impl Transport for End {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, buffer)
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.0.poll_write_vectored(cx, buffers)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_shutdown(cx)
    }

    fn in_flight(&self) -> Option<InFlight> {
        let (unacknowledged, window) = self.0.in_flight()?;
        Some(InFlight::new(unacknowledged, Some(window)))
    }

    fn set_notsent_lowat(&self, bytes: u32) {
        self.0.set_notsent_lowat(bytes);
    }
}
