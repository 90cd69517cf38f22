//! Suites that cross crates live in `tests/`; the peers for other people's suites in `src/bin/`, and here what those peers
//! have in common.

pub mod autobahn;
