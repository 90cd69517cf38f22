//! The program, run as a process.

mod support;

mod bench;
mod connect;
mod connect_hints;
mod connect_json;
mod connect_pings;
mod dial;
mod oneshot;
mod serve;
mod serve_hub;
mod shell;
mod terminal;
mod tls;
mod tunnel;
