//! A handler beside its driver: the connection lives on while the handler does something else, and ends with it.

mod busy;
mod ending;

use ws_proto::Role;

use crate::sim::*;

fn beside(role: Role) -> Setup {
    Setup { beside: true, ..Setup::new(role) }
}

const ROLES: [Role; 2] = [Role::Server, Role::Client];
