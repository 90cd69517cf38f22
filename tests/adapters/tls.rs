//! TLS: whom a client trusts, who a server is, and what is told when that does not go together, before any byte of HTTP
//! (row K9 of the table of bad input). Certificates are made here, so that none expires in the repository.

mod ends;
mod errors;
#[cfg(feature = "proxies")]
mod forward;
mod handshake;
mod messages;
mod negotiated;
mod pem;
pub(super) mod pki;
mod polled;
mod renewing;
mod self_signed;
