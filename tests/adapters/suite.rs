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
#[cfg(feature = "proxies")]
mod forward;
mod hub;
mod hub_client;
mod hub_protocol;
mod keepalive;
mod limits;
mod logging;
mod messages;
mod newcomer;
mod opening;
mod overrides;
mod people;
#[cfg(all(feature = "auth", feature = "routes"))]
mod policy;
mod polled;
mod pressure;
#[cfg(feature = "proxies")]
mod proxies;
mod reconnecting;
#[cfg(feature = "redirects")]
mod redirects;
mod refusals;
mod resets;
#[cfg(feature = "routes")]
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
mod workers;
