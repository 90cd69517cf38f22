//! Dialling: addresses are raced (RFC 8305), all within one deadline, and errors name what they are about.

use std::io::ErrorKind;
use std::time::Duration;

use ws_session::{ConnectError, Stage, TimedOut, WebSocket};

use crate::sim::*;

fn connect(world: &World, url: &str) -> Result<WebSocket, ConnectError> {
    let client = Client::new(url);
    world.block_on(async { client.connect().await })
}

fn failure(world: &World, url: &str) -> ConnectError {
    connect(world, url).map(drop).unwrap_err()
}

fn timeout(error: &ConnectError) -> &TimedOut {
    match error {
        ConnectError::Timeout(timed_out) => timed_out,
        other => panic!("expected a timeout, not {other}"),
    }
}

/// When each address was tried, in milliseconds.
fn attempts(network: &Network) -> Vec<(u64, String)> {
    network.attempts().into_iter().map(|(at, to)| (u64::try_from(at.as_millis()).unwrap(), to)).collect()
}

fn expected(list: &[(u64, &str)]) -> Vec<(u64, String)> {
    list.iter().map(|&(at, to)| (at, to.to_owned())).collect()
}

const ONE: &str = "192.0.2.1:80";
const TWO: &str = "192.0.2.2:80";
const SIX: &str = "[2001:db8::1]:80";

#[test]
fn a_second_address_is_tried_after_250_ms() {
    for first in [Route::Silent, Route::Serves(secs(5)), Route::Refuses(millis(800))] {
        let (world, network) = (World::new(1), Network::new());
        network.host("two.test", &[ONE, TWO]);
        network.route(ONE, first);
        network.route(TWO, Route::Serves(millis(50)));
        let socket = connect(&world, "ws://two.test/").unwrap();
        assert_eq!(socket.peer_addr(), Some(TWO.parse().unwrap()), "{first:?}");
        assert_eq!(world.now(), millis(300));
        assert_eq!(attempts(&network), expected(&[(0, ONE), (250, TWO)]));
        assert_eq!(network.running(), 0, "the other attempt was given up");
    }
}

#[test]
fn the_first_goes_on_beside_the_second() {
    let (world, network) = (World::new(1), Network::new());
    network.host("two.test", &[ONE, TWO]);
    network.route(ONE, Route::Serves(millis(400)));
    network.route(TWO, Route::Serves(secs(1)));
    let socket = connect(&world, "ws://two.test/").unwrap();
    assert_eq!(socket.peer_addr(), Some(ONE.parse().unwrap()));
    assert_eq!(world.now(), millis(400));
}

#[test]
fn the_next_address_is_tried_at_once_when_one_fails() {
    let (world, network) = (World::new(1), Network::new());
    network.host("three.test", &[SIX, ONE, TWO]);
    network.route(SIX, Route::Refuses(millis(10)));
    network.route(ONE, Route::Refuses(Duration::ZERO));
    network.route(TWO, Route::Serves(Duration::ZERO));
    connect(&world, "ws://three.test/").unwrap();
    assert_eq!(attempts(&network), expected(&[(0, SIX), (10, ONE), (10, TWO)]));
}

#[test]
fn families_take_turns() {
    let (world, network) = (World::new(1), Network::new());
    let others = ["[2001:db8::2]:80", "[2001:db8::3]:80"];
    network.host("many.test", &[SIX, others[0], others[1], ONE]);
    for silent in [SIX, others[0], others[1]] {
        network.route(silent, Route::Silent);
    }
    network.route(ONE, Route::Serves(millis(1)));
    connect(&world, "ws://many.test/").unwrap();
    assert_eq!(attempts(&network), expected(&[(0, SIX), (250, ONE)]));
}

#[test]
fn a_failure_names_each_address_and_its_error() {
    let (world, network) = (World::new(1), Network::new());
    network.host("two.test", &[SIX, ONE]);
    network.route(SIX, Route::Refuses(secs(1)));
    network.route(ONE, Route::Refuses(millis(20)));
    let error = failure(&world, "ws://two.test/");
    assert_eq!(
        error.to_string(),
        format!("cannot connect to two.test: {ONE}: connection refused; {SIX}: connection refused")
    );
    assert_eq!(format!("{error:?}"), error.to_string());
    let ConnectError::Dial(dial) = &error else { panic!("{error}") };
    assert_eq!((dial.host(), dial.attempts().len()), ("two.test", 2));
    assert_eq!(dial.attempts()[1].address, SIX.parse().unwrap());
    assert_eq!(error.io_error().unwrap().kind(), ErrorKind::ConnectionRefused);

    network.route("192.0.2.1:81", Route::Refuses(Duration::ZERO));
    let error = failure(&world, "ws://192.0.2.1:81/");
    assert_eq!(error.to_string(), "cannot connect to 192.0.2.1:81: connection refused");
}

#[test]
fn a_timeout_names_its_stage() {
    let (world, network) = (World::new(1), Network::new());
    network.host("slow.test", &[]);
    let error = failure(&world, "ws://slow.test/");
    assert_eq!(timeout(&error).stage(), Stage::Resolving);
    assert_eq!(error.to_string(), "timed out after 10s resolving slow.test");
    assert_eq!(world.now(), secs(10));

    network.host("two.test", &[ONE, TWO]);
    network.route(ONE, Route::Silent);
    network.route(TWO, Route::Refuses(secs(3)));
    let error = failure(&world, "ws://two.test/");
    assert_eq!(timeout(&error).stage(), Stage::Tcp);
    assert_eq!(timeout(&error).timeout(), secs(10));
    assert_eq!(timeout(&error).attempts().len(), 2);
    let told = format!("timed out after 10s connecting to two.test: {TWO}: connection refused; {ONE}: no answer");
    assert_eq!(error.to_string(), told);
    assert_eq!((world.now(), network.running()), (secs(20), 0));

    network.route(ONE, Route::Mute(secs(4)));
    let error = failure(&world, "ws://two.test/");
    assert_eq!(timeout(&error).stage(), Stage::Handshake);
    let told = format!("timed out after 10s in the opening handshake: {ONE} took the connection and did not answer");
    assert_eq!(error.to_string(), told);
    assert_eq!(world.now(), secs(30), "one deadline for all stages");
}

#[test]
fn a_name_that_is_not_found_is_named() {
    let (world, network) = (World::new(1), Network::new());
    let error = failure(&world, "ws://nowhere.test:81/");
    assert_eq!(error.to_string(), "cannot resolve nowhere.test: no such name");
    assert!(matches!(error, ConnectError::Resolve { host, .. } if host == "nowhere.test"));
    assert_eq!(network.attempts(), []);
}

#[test]
fn the_zone_of_an_address_goes_to_the_socket_and_not_into_host() {
    let (world, network) = (World::new(1), Network::new());
    network.host("fe80::1%eth0", &["[fe80::1%7]:1"]);
    for (url, address) in [
        ("ws://[fe80::9%25eth0]:81/", "[fe80::9%7]:81"),
        ("ws://[::1%eth0]:81/", "[::1%7]:81"),
        ("ws://[fe80::9%253]/", "[fe80::9%3]:80"),
    ] {
        network.route(address, Route::Serves(Duration::ZERO));
        let socket = connect(&world, url).unwrap();
        assert_eq!(socket.peer_addr(), Some(address.parse().unwrap()));
        let host = socket.request().headers()["host"].to_str().unwrap();
        assert!(host.starts_with('[') && !host.contains('%') && !host.contains("eth0"), "{host}");
    }
    let error = failure(&world, "ws://[fe80::9%25eth1]/");
    assert_eq!(error.to_string(), "cannot resolve fe80::9%eth1: there is no network interface \"eth1\"");
}
