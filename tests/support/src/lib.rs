//! Helpers that the suites share.
//!
//! | module | content |
//! | --- | --- |
//! | [`frames`] | frames put together by hand, and taken apart |
//! | [`opening`] | a client's request, and the answer to one |
//! | [`link`] | a link in memory, whose buffers, stalls and errors a test decides |
//! | [`peer`] | the other end of a link, played by hand |
//! | [`nobody`] | an address at which nobody listens |
//! | [`random`] | random numbers that a seed decides |
//! | [`samples`] | payloads for tests of compression |
//! | `deflate` | our DEFLATE codec and another (feature `deflate`) |
//! | `recorder` | what was passed to the `metrics` facade (feature `metrics`) |
//! | [`cut_off`] | futures that are dropped before they are ready |
//!
//! Frames are encoded and decoded here without this project's own code, so that a test compares with something else. Only
//! `opening::response_to` uses it, because the answer to a random key takes SHA-1.

pub mod cut_off;
#[cfg(feature = "deflate")]
pub mod deflate;
pub mod frames;
pub mod link;
pub mod nobody;
pub mod opening;
pub mod peer;
pub mod random;
#[cfg(feature = "metrics")]
pub mod recorder;
pub mod samples;
