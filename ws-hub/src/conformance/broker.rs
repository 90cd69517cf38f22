//! [`Broker`]: a broker of virtual time with faults, which a seed decides.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::log::{Added, Log};
use super::rng::Rng;
use crate::backplane::{
    Backplane, BoxFuture, Doubt, HistoryError, Link, Order, Outgoing, Page, Promises, PublishError, Recovery, Refusal,
    Unavailable,
};
use crate::inbound::Inbound;
use crate::options::History;
use crate::position::Position;
use crate::publication::{GapCause, Publication};
use crate::topic::Topic;

/// The longest time that anything takes on its way.
const LATENCY: Duration = Duration::from_millis(20);

/// A broker in memory, whose connections and deliveries fail. Clones are the same broker.
#[derive(Clone)]
pub struct Broker {
    shared: Arc<Mutex<State>>,
}

struct State {
    rng: Rng,
    is_calm: bool,
    logs: HashMap<Topic, Log>,
    connections: Vec<Connection>,
    accepted: Vec<Arc<Publication>>,
    subscribed: usize,
    reads: usize,
}

impl State {
    /// Counts a read of history. Returns whether the replica that it is read from is behind.
    fn begin_read(&mut self) -> bool {
        self.reads += 1;
        !self.is_calm && self.rng.one_in(5)
    }
}

/// What a replica has that lacks the last publication.
fn behind(mut page: Page) -> Page {
    page.publications.pop();
    page
}

/// The connection of one link.
struct Connection {
    inbound: Inbound,
    /// Counts the connections of the link: what belongs to an earlier one is void.
    generation: u64,
    is_up: bool,
    topics: HashSet<Topic>,
    /// On their way to the link.
    pipe: VecDeque<Arc<Publication>>,
    is_pumping: bool,
    frozen: u32,
}

impl Broker {
    /// A broker without faults, until [`disturb`](Self::disturb).
    pub fn new(seed: u64) -> Self {
        let state = State {
            rng: Rng::new(seed),
            is_calm: true,
            logs: HashMap::new(),
            connections: Vec::new(),
            accepted: Vec::new(),
            subscribed: 0,
            reads: 0,
        };
        Self { shared: Arc::new(Mutex::new(state)) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All publications that were accepted, in order.
    pub fn accepted(&self) -> Vec<Arc<Publication>> {
        self.lock().accepted.clone()
    }

    /// The subscriptions of topics that there are now.
    pub fn subscriptions(&self) -> usize {
        self.lock().connections.iter().map(|connection| connection.topics.len()).sum()
    }

    /// How often topics were subscribed.
    pub fn subscribed(&self) -> usize {
        self.lock().subscribed
    }

    /// How often history was read.
    pub fn reads(&self) -> usize {
        self.lock().reads
    }

    /// Begins to leave out, double and swap publications on their way, where the order of a topic with history shows it. History
    /// is read from a replica that is behind, now and then.
    pub fn disturb(&self) {
        self.lock().is_calm = false;
    }

    /// Ends what [`disturb`](Self::disturb) began.
    pub fn calm(&self) {
        self.lock().is_calm = true;
    }

    /// Cuts the connection of a link for this time. The link notices it after a while.
    pub fn cut(&self, link: usize, time: Duration) {
        let mut state = self.lock();
        let notice = state.rng.up_to(LATENCY);
        let Some(connection) = state.connections.get_mut(link) else { return };
        connection.generation += 1;
        connection.is_up = false;
        connection.pipe.clear();
        let (generation, inbound) = (connection.generation, connection.inbound.clone());
        drop(state);
        let broker = self.clone();
        inbound.clone().spawn(async move {
            inbound.sleep(notice).await;
            inbound.lost(GapCause::BrokerLost);
            inbound.sleep(time).await;
            if broker.reconnect(link, generation) {
                inbound.restored();
            }
        });
    }

    fn reconnect(&self, link: usize, generation: u64) -> bool {
        let mut state = self.lock();
        let connection = &mut state.connections[link];
        let is_same = connection.generation == generation;
        connection.is_up |= is_same;
        is_same
    }

    /// Restarts the broker, which cuts all connections. Without its data, the streams of all topics are lost.
    pub fn restart(&self, keeps_data: bool, time: Duration) {
        if !keeps_data {
            let state = &mut *self.lock();
            for log in state.logs.values_mut() {
                *log = Log::new(&mut state.rng);
            }
        }
        let links = self.lock().connections.len();
        (0..links).for_each(|link| self.cut(link, time));
    }

    /// Freezes the connection of a link for this time: nothing is lost, and nothing moves.
    pub fn freeze(&self, link: usize, time: Duration) {
        let mut state = self.lock();
        let Some(connection) = state.connections.get_mut(link) else { return };
        connection.frozen += 1;
        let inbound = connection.inbound.clone();
        drop(state);
        let broker = self.clone();
        inbound.clone().spawn(async move {
            inbound.sleep(time).await;
            broker.lock().connections[link].frozen -= 1;
            broker.pump(link);
        });
    }

    /// Accepts a publication, and sends it on its way to all links that have subscribed.
    fn accept(&self, topic: &Topic, outgoing: Outgoing) -> Result<Option<Position>, PublishError> {
        let state = &mut *self.lock();
        let Some(history) = outgoing.history else {
            let mut publication = Publication::new(topic.clone(), outgoing.message);
            publication.key = outgoing.key;
            self.send(state, &Arc::new(publication));
            return Ok(None);
        };
        let rng = &mut state.rng;
        let log = state.logs.entry(topic.clone()).or_insert_with(|| Log::new(rng));
        // Offsets need not be consecutive.
        let step = 1 + rng.below(3) as u64;
        match log.publish(topic, outgoing, &history, step)? {
            Added::Again(position) => Ok(Some(position)),
            Added::New(publication) => {
                self.send(state, &publication);
                Ok(publication.position)
            }
        }
    }

    fn send(&self, state: &mut State, publication: &Arc<Publication>) {
        state.accepted.push(Arc::clone(publication));
        let has_history = publication.position.is_some();
        for link in 0..state.connections.len() {
            let is_calm = state.is_calm || !has_history;
            let (is_left_out, is_doubled, is_swapped) =
                (!is_calm && state.rng.one_in(20), !is_calm && state.rng.one_in(20), !is_calm && state.rng.one_in(20));
            let connection = &mut state.connections[link];
            if !connection.is_up || !connection.topics.contains(&publication.topic) || is_left_out {
                continue;
            }
            connection.pipe.push_back(Arc::clone(publication));
            if is_doubled {
                connection.pipe.push_back(Arc::clone(publication));
            }
            let len = connection.pipe.len();
            if is_swapped && len >= 2 && connection.pipe[len - 2].position.is_some() {
                connection.pipe.swap(len - 2, len - 1);
            }
            self.start_pump(state, link);
        }
    }

    fn pump(&self, link: usize) {
        self.start_pump(&mut self.lock(), link);
    }

    /// Moves what is in the pipe of a link, one after the other.
    fn start_pump(&self, state: &mut State, link: usize) {
        let connection = &mut state.connections[link];
        if connection.is_pumping || connection.frozen > 0 || connection.pipe.is_empty() {
            return;
        }
        connection.is_pumping = true;
        let (broker, inbound) = (self.clone(), connection.inbound.clone());
        inbound.clone().spawn(async move {
            loop {
                let latency = broker.lock().rng.up_to(LATENCY / 4);
                inbound.sleep(latency).await;
                let mut state = broker.lock();
                let connection = &mut state.connections[link];
                let next = if connection.frozen > 0 { None } else { connection.pipe.pop_front() };
                let Some(publication) = next else {
                    connection.is_pumping = false;
                    return;
                };
                drop(state);
                inbound.publication(&publication);
            }
        });
    }

    /// Whether the link is connected, and the number of its connection.
    fn connection(&self, link: usize) -> Option<u64> {
        let state = self.lock();
        let connection = &state.connections[link];
        connection.is_up.then_some(connection.generation)
    }

    /// Waits for a way to the broker or back. Returns whether the connection was the same all the time.
    async fn travel(&self, inbound: &Inbound, link: usize, generation: u64) -> bool {
        let latency = self.lock().rng.up_to(LATENCY);
        inbound.sleep(latency).await;
        while self.lock().connections[link].frozen > 0 {
            inbound.sleep(LATENCY).await;
        }
        self.connection(link) == Some(generation)
    }
}

impl Backplane for Broker {
    fn promises(&self) -> Promises {
        Promises {
            order: Order::PerPublisher,
            recovery: Some(Recovery::Instances),
            many_instances: true,
            conditional: true,
            idempotent: true,
            ..Promises::new("a broker with faults")
        }
    }

    fn open(&self, inbound: Inbound) -> Box<dyn Link> {
        let mut state = self.lock();
        let connection = Connection {
            inbound: inbound.clone(),
            generation: 0,
            is_up: true,
            topics: HashSet::new(),
            pipe: VecDeque::new(),
            is_pumping: false,
            frozen: 0,
        };
        state.connections.push(connection);
        let link = state.connections.len() - 1;
        drop(state);
        Box::new(BrokerLink { broker: self.clone(), inbound, link })
    }
}

struct BrokerLink {
    broker: Broker,
    inbound: Inbound,
    link: usize,
}

impl Link for BrokerLink {
    fn publish(&self, topic: &Topic, outgoing: Outgoing) -> BoxFuture<'static, Result<Option<Position>, PublishError>> {
        let (broker, inbound, link, topic) = (self.broker.clone(), self.inbound.clone(), self.link, topic.clone());
        Box::pin(async move {
            let refused = Err(PublishError::Refused(Refusal::Unavailable { locally: 0 }));
            let Some(generation) = broker.connection(link) else { return refused };
            let lost = Err(PublishError::Unknown(Doubt::ConnectionLost));
            if !broker.travel(&inbound, link, generation).await {
                return lost;
            }
            let result = broker.accept(&topic, outgoing);
            if broker.travel(&inbound, link, generation).await { result } else { lost }
        })
    }

    fn subscribe(
        &self,
        topic: &Topic,
        history: Option<&History>,
    ) -> BoxFuture<'static, Result<Option<Position>, Unavailable>> {
        let (broker, inbound, link, topic) = (self.broker.clone(), self.inbound.clone(), self.link, topic.clone());
        let has_history = history.is_some();
        Box::pin(async move {
            let generation = broker.connection(link).ok_or(Unavailable)?;
            if !broker.travel(&inbound, link, generation).await {
                return Err(Unavailable);
            }
            let top = {
                let state = &mut *broker.lock();
                state.connections[link].topics.insert(topic.clone());
                state.subscribed += 1;
                let log = has_history.then(|| state.logs.entry(topic).or_insert_with(|| Log::new(&mut state.rng)));
                log.map(|log| log.top())
            };
            if broker.travel(&inbound, link, generation).await { Ok(top) } else { Err(Unavailable) }
        })
    }

    fn unsubscribe(&self, topic: &Topic) {
        let connection = &mut self.broker.lock().connections[self.link];
        connection.topics.remove(topic);
        connection.pipe.retain(|publication| publication.topic != *topic);
    }

    fn history(
        &self,
        topic: &Topic,
        _: &History,
        since: Position,
        limit: usize,
    ) -> BoxFuture<'static, Result<Page, HistoryError>> {
        let (broker, inbound, link, topic) = (self.broker.clone(), self.inbound.clone(), self.link, topic.clone());
        Box::pin(async move {
            let generation = broker.connection(link).ok_or(HistoryError::Unavailable)?;
            if !broker.travel(&inbound, link, generation).await {
                return Err(HistoryError::Unavailable);
            }
            let page = {
                let state = &mut *broker.lock();
                let is_behind = state.begin_read();
                let log = state.logs.entry(topic).or_insert_with(|| Log::new(&mut state.rng));
                log.page(since, limit).map(|page| if is_behind { behind(page) } else { page })
            };
            if broker.travel(&inbound, link, generation).await { page } else { Err(HistoryError::Unavailable) }
        })
    }

    fn latest(&self, topic: &Topic, _: &History, limit: usize) -> BoxFuture<'static, Result<Page, HistoryError>> {
        let (broker, inbound, link, topic) = (self.broker.clone(), self.inbound.clone(), self.link, topic.clone());
        Box::pin(async move {
            let generation = broker.connection(link).ok_or(HistoryError::Unavailable)?;
            if !broker.travel(&inbound, link, generation).await {
                return Err(HistoryError::Unavailable);
            }
            let page = {
                let state = &mut *broker.lock();
                let is_behind = state.begin_read();
                let page = state.logs.entry(topic).or_insert_with(|| Log::new(&mut state.rng)).latest(limit);
                if is_behind { behind(page) } else { page }
            };
            if broker.travel(&inbound, link, generation).await { Ok(page) } else { Err(HistoryError::Unavailable) }
        })
    }
}
