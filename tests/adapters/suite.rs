//! The suite, for the adapter whose file includes it: `super` has the adapter's crate, its streams and its tasks.

mod answers;
mod bytes;
mod cancelling;
mod chains;
mod closing;
mod compression;
mod connecting;
mod crowd;
mod faults;
mod forward;
mod keepalive;
mod limits;
mod logging;
mod messages;
mod newcomer;
mod opening;
mod overrides;
mod policy;
mod polled;
mod pressure;
mod proxies;
mod reconnecting;
mod redirects;
mod refusals;
mod resets;
mod routing;
mod running;
mod setup;
mod shutdown;
mod sockets;
mod streaming;
mod streams;
#[cfg(feature = "tls")]
mod tls;
#[cfg(all(feature = "json", feature = "messagepack"))]
mod typed;
mod unheard;
