//! The program, run as a process.

mod support;

mod connect;
mod connect_hints;
mod connect_pings;
mod serve;
mod serve_hub;
mod terminal;
mod tls;
