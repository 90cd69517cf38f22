//! Behaviour particular to async-std, smol and async-io. `tests/adapters` tests the behaviour of every adapter.

mod async_std;
mod smol;
mod streams;
mod timer;
