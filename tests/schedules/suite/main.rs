//! Handle, senders and driver on threads of their own, under many schedules: no wake-up is lost, no message is lost or
//! doubled. See `README.md` beside `Cargo.toml`.

mod clock;
mod explore;
mod link;
mod peer;
mod setup;
mod tasks;

mod beside;
mod cancelling;
mod closing;
mod deadlines;
mod flushing;
mod pausing;
mod pinging;
mod polled;
mod receiving;
mod sending;
mod serving;
