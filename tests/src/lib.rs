//! Suites that cross crates live in `tests/`; the peers for other people's suites in `src/bin/`.
