//! The ends of a stream of bytes.

use super::*;
use ws_session::{Cause, CloseCode};

#[test]
fn a_normal_close_is_the_end_and_any_other_an_error() {
    for role in ROLES {
        for (code, expected) in [
            (1000, Ok(b"last".to_vec())),
            (1001, Ok(b"last".to_vec())),
            (1011, Err(ErrorKind::ConnectionAborted)),
            (4000, Err(ErrorKind::ConnectionAborted)),
        ] {
            let world = World::new(1);
            let (mut stream, peer) = driven(&world, &Setup::new(role));
            peer.send(BINARY, "last");
            peer.send_close(code, "");
            let reading = world.spawn("reading", async move { read_to_end(&mut stream).await });
            world.run();
            let read = reading.take().unwrap();
            if let Err(error) = &read {
                assert_eq!(inner(error).closed().unwrap().outcome().code(), CloseCode::from(code));
            }
            assert_eq!(read.map_err(|error| error.kind()), expected, "{code}");
        }
    }
}

#[test]
fn a_transport_that_ends_without_a_close_is_no_end_of_the_data() {
    for role in ROLES {
        let world = World::new(1);
        let (mut stream, peer) = driven(&world, &Setup::new(role));
        peer.send(BINARY, "half of i");
        peer.to.end();
        let reading = world.spawn("reading", async move {
            let first = read(&mut stream, 100).await.unwrap();
            let error = read(&mut stream, 100).await.unwrap_err();
            (first, error, write(&mut stream, b"x").await.unwrap_err())
        });
        let (first, error, writing) = world.finish(&reading);
        assert_eq!((first.as_slice(), error.kind()), (&b"half of i"[..], ErrorKind::UnexpectedEof));
        assert_eq!(inner(&error).closed().unwrap().outcome().cause, Cause::Eof);
        assert_eq!(writing.kind(), ErrorKind::BrokenPipe);
    }
}

#[test]
fn a_peer_that_is_silent_times_out() {
    let world = World::new(1);
    let (mut stream, _peer) = driven(&world, &Setup::new(Role::Server));
    let reading = world.spawn("reading", async move { read(&mut stream, 1).await.unwrap_err() });
    let error = world.finish(&reading);
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(inner(&error).closed().unwrap().outcome().cause, Cause::KeepaliveTimeout);
}

#[test]
fn after_a_shutdown_the_rest_of_the_peers_data_is_read() {
    for role in ROLES {
        let world = World::new(1);
        let (mut stream, mut peer) = driven(&world, &Setup::new(role));
        let ending = world.spawn("ending", async move {
            write_all(&mut stream, b"request").await.unwrap();
            // Not the peer's Close is awaited.
            shutdown(&mut stream).await.unwrap();
            let error = write(&mut stream, b"more").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
            shutdown(&mut stream).await.unwrap();
            read_to_end(&mut stream).await.unwrap()
        });
        world.run();
        assert_eq!(peer.frames(), [Frame(BINARY, b"request".into()), close(1000, "")]);
        // More than the inbound queue holds.
        for n in 0..100_u8 {
            peer.send(BINARY, [n]);
            world.run();
        }
        peer.send_close(1000, "");
        peer.to.end();
        assert_eq!(world.finish(&ending), (0..100).collect::<Vec<u8>>());
    }
}

#[test]
fn a_shutdown_after_the_peers_close_is_no_error() {
    for role in ROLES {
        let world = World::new(1);
        let (mut stream, peer) = driven(&world, &Setup::new(role));
        peer.send_close(1000, "");
        let ending = world.spawn("ending", async move {
            assert!(read_to_end(&mut stream).await.unwrap().is_empty());
            let writing = write(&mut stream, b"too late").await.unwrap_err();
            assert_eq!(writing.kind(), ErrorKind::BrokenPipe);
            flush(&mut stream).await.unwrap();
            shutdown(&mut stream).await.unwrap();
        });
        world.run();
        peer.to.end();
        world.finish(&ending);
    }
}

#[test]
fn a_shutdown_that_was_not_written_is_an_error() {
    let world = World::new(1);
    let setup = Setup::new(Role::Client).timeless().link(|link| link.capacity = 100);
    let (mut stream, peer) = driven(&world, &setup);
    let ending = world.spawn("ending", async move {
        write_all(&mut stream, &[0; 10_000]).await.unwrap();
        shutdown(&mut stream).await
    });
    world.run();
    assert!(ending.take().is_none());
    drop(peer);
    world.finish(&ending).unwrap_err();
}

#[test]
fn a_polled_connection_ends_as_a_driven_one() {
    for role in ROLES {
        let world = World::new(1);
        let (mut stream, mut peer) = polled(&world, role);
        let ending = world.spawn("ending", async move {
            write_all(&mut stream, b"request").await.unwrap();
            shutdown(&mut stream).await.unwrap();
            read_to_end(&mut stream).await.unwrap()
        });
        world.run();
        assert_eq!(peer.frames(), [Frame(BINARY, b"request".into()), close(1000, "")]);
        peer.send(BINARY, "answer");
        peer.send_close(1000, "");
        peer.to.end();
        assert_eq!(world.finish(&ending), b"answer");
    }
}
