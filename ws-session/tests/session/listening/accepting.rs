//! Failures of accepting: of single connections, and of a system without descriptors or memory.

use std::io::ErrorKind;

use super::*;
use crate::sim::*;

/// Too many open files, in the process and in the system; no buffer space; no memory.
#[cfg(target_os = "linux")]
const LACKING: [i32; 4] = [24, 23, 105, 12];
#[cfg(not(target_os = "linux"))]
const LACKING: [i32; 2] = [24, 23];

fn is_open(peer: &mut Peer) -> bool {
    peer.head().starts_with("HTTP/1.1 101 ")
}

#[test]
fn accepting_goes_on_after_an_error() {
    let site = Site::echo(Server::new());
    site.backlog.fail(ErrorKind::OutOfMemory);
    let mut peer = site.connect();
    peer.to.push(REQUEST);
    site.world.run();
    assert_eq!(site.backlog.accepted(), 1, "it rests for a moment");
    site.world.advance(millis(10));
    assert!(is_open(&mut peer));
}

#[test]
fn connections_that_ended_before_they_were_accepted_delay_no_other() {
    let warnings = Warnings::new();
    let site = Site::echo(Server::new());
    for kind in [ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset, ErrorKind::Interrupted] {
        (0..10).for_each(|_| site.backlog.fail(kind));
    }
    let mut peer = site.connect();
    peer.to.push(REQUEST);
    site.world.run();
    assert!(is_open(&mut peer));
    assert_eq!(site.world.now(), secs(0));
    assert_eq!(warnings.take(), [""; 0]);
}

#[test]
fn a_server_without_descriptors_waits_and_says_so_once() {
    for code in LACKING {
        let warnings = Warnings::new();
        let site = Site::echo(Server::new().ping_interval(None));
        let mut open = site.open();
        site.backlog.set_failing(Some(code));
        let mut waiting = site.connect();
        waiting.to.push(REQUEST);
        site.world.run();
        let before = site.backlog.calls();
        site.world.advance(secs(60));
        // After 10, 20, … 640 ms, then once a second.
        assert_eq!(site.backlog.calls() - before, 7 + 58, "{code}");
        let told = warnings.take();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("cannot accept connections: "), "{told:?}");
        assert!(told[0].ends_with("Trying again until it works"), "{told:?}");
        // Open connections are not affected.
        open.send_text("still here");
        site.world.run();
        assert_eq!(open.frames(), [text("still here")]);
        site.backlog.set_failing(None);
        site.world.advance(secs(1));
        assert!(is_open(&mut waiting));
        assert_eq!(warnings.take(), [""; 0], "it may fail again");
        site.world.advance(secs(5));
        let told = warnings.take();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("accepting connections works again, after 59."), "{told:?}");
    }
}

#[test]
fn a_server_that_lives_at_its_limit_does_not_log_each_failure() {
    let warnings = Warnings::new();
    let site = Site::echo(Server::new());
    for _ in 0..100 {
        site.backlog.set_failing(Some(LACKING[0]));
        site.world.advance(millis(300));
        site.backlog.set_failing(None);
        site.world.advance(millis(300));
        let mut peer = site.open();
        says_goodbye(&mut peer);
    }
    assert_eq!(warnings.take().len(), 1);
    site.world.advance(secs(6));
    assert_eq!(warnings.take().len(), 1);
    // Another time is told again, and the pause begins anew.
    site.backlog.set_failing(Some(LACKING[0]));
    site.world.run();
    let before = site.backlog.calls();
    site.world.advance(millis(70));
    assert_eq!(site.backlog.calls() - before, 3);
    assert_eq!(warnings.take().len(), 1);
}

#[test]
fn a_server_without_descriptors_still_shuts_down() {
    let site = Site::echo(Server::new());
    site.backlog.set_failing(Some(LACKING[0]));
    site.world.advance(secs(10));
    site.handle.shutdown();
    let at = site.world.now();
    site.world.run();
    assert!(site.serving.is_finished() && site.backlog.is_closed());
    assert_eq!(site.world.now(), at);
}
