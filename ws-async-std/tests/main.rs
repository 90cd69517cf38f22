//! What is particular to async-std, smol and async-io. What a user of any adapter sees is in `tests/adapters`.

mod async_std;
mod smol;
mod streams;
mod timer;
