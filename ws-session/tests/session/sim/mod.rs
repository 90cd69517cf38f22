//! Endpoints in a world without sockets, threads and real time.

mod handlers;
mod link;
mod network;
mod rng;
mod runtime;
mod setup;
mod silence;
mod world;

pub(crate) use self::handlers::send_back;
pub(crate) use self::link::{End, LinkOptions, Peer, link};
pub(crate) use self::network::{Network, Route};
pub(crate) use self::rng::{Rng, seeds};
pub(crate) use self::runtime::Driver;
pub(crate) use self::runtime::{Backlog, Client, Server, Sim};
pub(crate) use self::setup::*;
pub(crate) use self::silence::Warnings;
pub(crate) use self::world::{Gate, Log, SimTimer, Task, World, sleep, spawn_here, yield_now};
pub(crate) use ws_test_support::cut_off::cut_off;
pub(crate) use ws_test_support::frames::{
    BINARY, CLOSE, CONTINUES, Frame, LAST, PING, PONG, TEXT, TEXT_BEGINS, close, pong, text,
};
pub(crate) use ws_test_support::opening::{REQUEST, response_to};
