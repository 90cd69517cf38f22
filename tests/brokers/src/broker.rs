//! [`Broker`]: a broker that can be started, killed, frozen and emptied.

use std::path::Path;

use crate::Outcome;

/// A broker, or several that belong together, started in a folder of its own on free ports of 127.0.0.1. Dropping it stops it.
pub trait Broker: Send {
    /// What an instance is started with: `redis redis://127.0.0.1:12345`. `src/bin/instance.rs` reads it.
    fn backplane(&self) -> String;

    /// Starts it again after [`kill`](Self::kill), with the data that it has stored, and waits until it answers.
    fn start(&mut self) -> Outcome;

    /// Kills it (`SIGKILL`). Of a group of brokers, the one that counts.
    fn kill(&mut self) -> Outcome;

    /// Removes the stored data of a broker that was killed.
    fn wipe(&mut self) -> Outcome;

    /// Stops its processes (`SIGSTOP`): connections stay, and nothing is answered.
    fn freeze(&mut self) -> Outcome;

    /// Lets them go on.
    fn thaw(&mut self) -> Outcome;

    /// Closes the connections of all subscribers, and goes on.
    fn drop_clients(&mut self) -> Outcome;

    /// Loses all history, and goes on.
    fn empty(&mut self) -> Outcome;

    /// Sends it a command in its own words, and returns the first line of the answer. For scenarios of one kind of broker.
    fn command(&mut self, command: &str) -> Outcome<String> {
        Err(format!("it takes no commands: {command}"))
    }
}

/// What can happen to a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It keeps history, and other processes get publications.
    History,
    /// Several processes are instances.
    ManyInstances,
    /// `start`, `kill`, `freeze`, `thaw`.
    Restart,
    /// `start` finds the history of before.
    Storage,
    /// `wipe`.
    Wipe,
    /// `drop_clients`.
    DropClients,
    /// `empty`.
    Empty,
    /// It deletes the oldest publications of a topic above the topic's size.
    Trim,
    /// It keeps tens of megabytes.
    Large,
    /// `empty` deletes nearly everything, as its age would. The history stays the same one.
    Expire,
    /// Subscribers go on where they were after an outage: what was published meanwhile is not missing, with history or without.
    Resumes,
    /// It closes a subscriber that does not read.
    SlowSubscriber,
    /// `kill` lets another one take over.
    Failover,
    /// `kill` and `freeze` are for one of several servers that instances are connected to, each to one of them.
    Node,
    /// Publishing after a position, and with an idempotency key.
    Conditional,
    /// `command` takes `save`, which keeps a copy of what is stored; `restore`, after `kill`, which puts it back; and `publish
    /// COUNT TOPIC`, as another program does.
    LostTail,
    /// `command` takes those of Redis.
    RedisCommands,
}

/// A kind of broker.
pub struct Kind {
    /// Its name on the command line.
    pub name: &'static str,
    /// What can happen to it.
    pub faults: &'static [Fault],
    /// Starts one in a folder.
    pub start: fn(&Path) -> Outcome<Box<dyn Broker>>,
}

impl Kind {
    /// Whether a fault can happen to it.
    pub fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }
}
