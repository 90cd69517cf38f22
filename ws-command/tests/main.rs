//! The program, run as a process.

mod support;

mod connect;
mod connect_hints;
mod connect_pings;
mod serve;
mod terminal;
mod tls;
