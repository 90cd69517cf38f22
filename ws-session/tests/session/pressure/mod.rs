//! Back pressure: who sends too much waits, who reads too slowly is not flooded, and nobody waits for ever.

mod bytes;
mod inbound;
mod outgoing;

const MIB: usize = 1 << 20;
