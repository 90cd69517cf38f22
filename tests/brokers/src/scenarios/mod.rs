//! The scenarios: what is done to a broker and to instances, and what subscribers must have been told. The rules are checked
//! after each of them.

mod calm;
mod faults;
mod redis;

use crate::Outcome;
use crate::broker::Fault;
use crate::world::World;

pub struct Scenario {
    pub name: &'static str,
    /// It runs with brokers that have all of these.
    pub needs: &'static [Fault],
    /// It runs with `--long` alone.
    pub is_long: bool,
    pub run: fn(&mut World) -> Outcome,
}

const fn scenario(name: &'static str, needs: &'static [Fault], run: fn(&mut World) -> Outcome) -> Scenario {
    Scenario { name, needs, is_long: false, run }
}

const fn long(name: &'static str, needs: &'static [Fault], run: fn(&mut World) -> Outcome) -> Scenario {
    Scenario { name, needs, is_long: true, run }
}

/// All scenarios. Those that take longest begin first.
pub const SCENARIOS: &[Scenario] = &[
    long("restart after 60 s", &[Fault::Restart], |world| faults::restart(world, 60)),
    scenario("an instance dies with its members", &[Fault::ManyInstances], calm::members_of_the_dead),
    scenario("a frozen broker", &[Fault::Restart], faults::freeze),
    scenario("restart after 15 s", &[Fault::Restart], |world| faults::restart(world, 15)),
    scenario("failover", &[Fault::Failover], faults::failover),
    scenario("a server of a cluster dies", &[Fault::Node], faults::node_dies),
    scenario("a server of a cluster stands still", &[Fault::Node], faults::node_freezes),
    scenario("a deaf failover", &[Fault::Failover], faults::deaf_failover),
    scenario("a subscriber that stands still", &[Fault::SlowSubscriber], faults::slow_subscriber),
    scenario("restart after 1 s", &[Fault::Restart], |world| faults::restart(world, 1)),
    scenario("restart without data", &[Fault::Wipe], faults::restart_without_data),
    scenario("the end of a history is lost", &[Fault::LostTail], faults::lost_tail),
    scenario("subscribers are closed", &[Fault::DropClients], faults::drop_clients),
    scenario("history is lost", &[Fault::Empty], faults::empty),
    scenario("records are deleted", &[Fault::Expire], faults::expire),
    scenario("a publisher is killed", &[Fault::ManyInstances], calm::publisher_is_killed),
    scenario("live, in one order", &[], calm::live),
    scenario("recovery", &[Fault::History], calm::recovery),
    scenario("history is trimmed", &[Fault::History, Fault::Trim], calm::trimmed),
    scenario("names", &[], calm::names),
    scenario("big publications", &[Fault::Large], calm::big),
    scenario("compare and publish", &[Fault::Conditional], calm::compare_and_publish),
    scenario("idempotency keys", &[Fault::Conditional], calm::idempotency),
    scenario("members", &[], calm::members),
    scenario("no memory is left", &[Fault::RedisCommands], redis::no_memory),
    scenario("keys are evicted", &[Fault::RedisCommands], redis::evicted),
    scenario("scripts are flushed", &[Fault::RedisCommands], redis::scripts_are_flushed),
    scenario("a lost tail", &[Fault::RedisCommands], redis::lost_tail),
    scenario("streams without publications", &[Fault::RedisCommands], redis::empty_streams),
    scenario("a clock that goes back", &[Fault::RedisCommands], redis::clock),
    scenario("a replica", &[Fault::RedisCommands], redis::replica),
    scenario("few rights", &[Fault::RedisCommands], redis::few_rights),
    scenario("wrong credentials", &[Fault::RedisCommands], redis::wrong_credentials),
    scenario("other programs", &[Fault::RedisCommands], redis::other_programs),
    scenario("settings that lose publications", &[Fault::RedisCommands], redis::settings),
];
