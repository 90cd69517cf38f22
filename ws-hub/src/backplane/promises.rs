//! [`Promises`]: what a backplane promises, as data.

/// What a backplane promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Promises {
    /// Its name.
    pub name: &'static str,
    /// The order of publications on topics without history.
    pub order: Order,
    /// What the history of a topic survives. `None` if there is no history.
    pub recovery: Option<Recovery>,
    /// Whether other instances get the publications.
    pub many_instances: bool,
    /// Whether a publication can be made only if another one is the last ([`Outgoing::after`](super::Outgoing::after)).
    pub conditional: bool,
    /// Whether a second publication with the same idempotency key is left out
    /// ([`Outgoing::idempotency_key`](super::Outgoing::idempotency_key)).
    pub idempotent: bool,
}

impl Promises {
    /// Promises of a backplane with this name: for one instance, one order per publisher, no history, nothing else.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            order: Order::PerPublisher,
            recovery: None,
            many_instances: false,
            conditional: false,
            idempotent: false,
        }
    }
}

/// The order of publications on a topic without history. With history, it is always the same for all subscribers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// The publications of one instance keep their order. Those of several can be mixed differently for each subscriber.
    PerPublisher,
    /// All subscribers get the publications in the same order.
    PerTopic,
}

/// What the history of a topic survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recovery {
    /// Lost connections of clients.
    Connections,
    /// The end of an instance, too.
    Instances,
    /// A restart of the broker, too, if it stores what it has.
    Broker,
}
