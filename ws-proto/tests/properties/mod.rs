//! Properties of a connection for any input, output and waiting. Inputs are generated anew each time. A failure prints the
//! smallest input that fails, which becomes a test beside the others, so nothing is kept in `proptest-regressions`.
//! `PROPTEST_CASES=100000` tries more inputs, `PROPTEST_RNG_SEED=1` repeats a run.
//!
//! - Decoding undoes encoding: headers, masks, messages by either role, fragmented or not, whole or in chunks.
//! - However a stream is cut, good, damaged or noise: the same events, the same bytes out.
//! - Wherever it is read, with any memory, compressed or not: the same.
//! - In which order and how often a connection is asked what it wants changes neither.
//! - Time may stand still, jump, even run backwards: no panic, no deadline left in the past, no busy loop.
//! - Two ends over a link that is slow, or dies: both end, and agree as far as they can; see `agreement`.

mod agreement;
mod decoding;
mod link;
mod made_up;
mod polling;
mod reading;
mod stories;
mod streams;
mod time;
mod world;
