//! Fuzz targets for the core and for the DEFLATE codec.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`targets`] | one function per target; `fuzz_targets/` only gives each a `main` |
//! | [`naive`], [`naive_http`] | decoders that are slow and plain on purpose, to compare with; they need `std` alone |
//! | [`driven`] | the core of one end, its driver and clock, and what must hold at every step |
//! | [`events`] | events that own what they say, put together, in the naive decoder's words |
//! | [`input`] | how the bytes of an input are read: who, with what limits, cut how, and what came over the wire |
//! | [`memory`] | how many bytes are allocated |

#![forbid(unsafe_code)]

pub mod driven;
pub mod events;
pub mod input;
pub mod memory;
pub mod naive;
pub mod naive_http;
pub mod targets;
