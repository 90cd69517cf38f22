//! What is particular to tokio. What a user of any adapter sees is in `tests/adapters`.

mod common;

mod deadlines;
mod io;
mod logging;
mod stream;
