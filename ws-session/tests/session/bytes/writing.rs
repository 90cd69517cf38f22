//! Writing: the messages that are made of writes.

use std::cell::Cell;
use std::rc::Rc;

use super::*;

fn binary(bytes: impl Into<Vec<u8>>) -> Frame {
    Frame(BINARY, bytes.into())
}

#[test]
fn a_write_is_a_message_and_needs_no_flush() {
    for role in ROLES {
        let world = World::new(1);
        let (mut stream, mut peer) = driven(&world, &Setup::new(role));
        let writing = world.spawn("writing", async move {
            for bytes in [&b"one"[..], b"", b"two"] {
                assert_eq!(write(&mut stream, bytes).await.unwrap(), bytes.len());
            }
            stream
        });
        world.run();
        let _stream = writing.take().unwrap();
        assert_eq!(peer.frames(), [binary("one"), binary("two")], "an empty write sends nothing");
        // A connection that is polled is not polled again.
        let (mut stream, mut peer) = polled(&world, role);
        let writing = world.spawn("writing", async move {
            write_all(&mut stream, b"three").await.unwrap();
            stream
        });
        world.run();
        let _stream = writing.take().unwrap();
        assert_eq!(peer.frames(), [binary("three")]);
    }
}

#[test]
fn a_long_write_is_done_in_parts() {
    let world = World::new(1);
    let (stream, mut peer) = driven(&world, &Setup::new(Role::Server));
    let mut stream = stream.message_size(4);
    let writing = world.spawn("writing", async move {
        assert_eq!(write(&mut stream, b"0123456789").await.unwrap(), 4);
        write_all(&mut stream, b"abcdef").await.unwrap();
        let vectored = [IoSlice::new(b"xy"), IoSlice::new(b""), IoSlice::new(b"z12")];
        assert_eq!(poll_fn(|cx| stream.poll_write_vectored(cx, &vectored)).await.unwrap(), 4);
        stream
    });
    world.run();
    let stream = writing.take().unwrap();
    assert_eq!(peer.frames(), ["0123", "abcd", "ef", "xyz1"].map(binary));
    // By default a message has 16 KiB.
    let mut stream = stream.message_size(16 << 10);
    let writing = world.spawn("writing", async move { write(&mut stream, &[7; 20_000]).await.unwrap() });
    assert_eq!(world.finish(&writing), 16 << 10);
    assert_eq!(peer.frames()[0], binary([7; 16 << 10]));
}

#[test]
fn a_writer_waits_for_a_peer_that_takes_nothing_and_a_dropped_write_has_written_nothing() {
    for role in ROLES {
        let world = World::new(1);
        let setup = Setup::new(role).timeless().link(|link| link.capacity = 1000);
        let (mut stream, mut peer) = driven(&world, &setup);
        let writing = world.spawn("writing", async move {
            let mut written = 0;
            while let Some(n) = cut_off(write(&mut stream, &[1; 10_000]), 1, false).await {
                written += n.unwrap();
            }
            assert!(cut_off(write(&mut stream, &[2; 10_000]), 1, false).await.is_none());
            (stream, written)
        });
        world.run();
        let (mut stream, written) = writing.take().expect("the queue is bounded");
        assert!((64 << 10..100 << 10).contains(&written), "{written}");
        let ending = world.spawn("ending", async move { shutdown(&mut stream).await });
        let mut frames = Vec::new();
        for _ in 0..1000 {
            frames.extend(peer.frames());
            world.run();
        }
        world.finish(&ending).unwrap();
        assert_eq!(frames.pop(), Some(close(1000, "")));
        let received: Vec<u8> = frames.into_iter().flat_map(|Frame(_, bytes)| bytes).collect();
        assert!(received.len() == written && received.iter().all(|byte| *byte == 1));
    }
}

#[test]
fn small_writes_are_collected_until_a_flush_or_a_read_or_until_they_do_not_fit() {
    let world = World::new(1);
    let (stream, mut peer) = driven(&world, &Setup::new(Role::Server));
    let mut stream = stream.write_buffer(10);
    let writing = world.spawn("writing", async move {
        write_all(&mut stream, b"one").await.unwrap();
        write_all(&mut stream, b"two").await.unwrap();
        stream
    });
    world.run();
    let mut stream = writing.take().unwrap();
    assert!(peer.frames().is_empty());
    let writing = world.spawn("writing", async move {
        flush(&mut stream).await.unwrap();
        // The last does not fit.
        for bytes in ["four", "five", "sixes"] {
            write_all(&mut stream, bytes.as_bytes()).await.unwrap();
        }
        // One that is as long as the buffer does not go through it.
        write_all(&mut stream, b"0123456789").await.unwrap();
        write_all(&mut stream, b"asked").await.unwrap();
        assert!(cut_off(read(&mut stream, 10), 1, false).await.is_none());
        write_all(&mut stream, b"last").await.unwrap();
        shutdown(&mut stream).await.unwrap();
    });
    world.finish(&writing);
    let mut expected = ["onetwo", "fourfive", "sixes", "0123456789", "asked", "last"].map(binary).to_vec();
    expected.push(close(1000, ""));
    assert_eq!(peer.frames(), expected);
}

#[test]
fn collected_writes_wait_for_a_peer_that_takes_nothing_and_none_is_lost() {
    for role in ROLES {
        let world = World::new(1);
        let setup = Setup::new(role).timeless().link(|link| link.capacity = 1000);
        let (stream, mut peer) = driven(&world, &setup);
        let mut stream = stream.write_buffer(2000);
        let written = Rc::new(Cell::new(0));
        let count = Rc::clone(&written);
        let answering = world.spawn("answering", async move {
            // Each answer is written before the next question is looked for.
            for n in 0..2000_u16 {
                write_all(&mut stream, &[n.to_be_bytes(); 500].concat()).await.unwrap();
                count.set(count.get() + 1000);
                assert!(cut_off(read(&mut stream, 10), 1, false).await.is_none());
            }
            shutdown(&mut stream).await.unwrap();
        });
        world.run();
        assert!((64 << 10..100 << 10).contains(&written.get()), "{}", written.get());
        let mut frames = Vec::new();
        for _ in 0..10_000 {
            frames.extend(peer.frames());
            world.run();
        }
        world.finish(&answering);
        assert_eq!(frames.pop(), Some(close(1000, "")));
        let received: Vec<u8> = frames.into_iter().flat_map(|Frame(_, bytes)| bytes).collect();
        let expected: Vec<u8> = (0..2000_u16).flat_map(|n| [n.to_be_bytes(); 500].concat()).collect();
        assert!(received == expected, "{} bytes", received.len());
    }
}

#[test]
fn what_was_collected_goes_with_the_connection() {
    let world = World::new(1);
    let (stream, mut peer) = driven(&world, &Setup::new(Role::Client));
    let mut stream = stream.write_buffer(100);
    let writing = world.spawn("writing", async move {
        write_all(&mut stream, b"collected").await.unwrap();
        let (ws, _) = stream.into_inner();
        ws.send("after it").await.unwrap();
        ws
    });
    world.run();
    let _ws = writing.take().unwrap();
    assert_eq!(peer.frames(), [binary("collected"), text("after it")]);
}

#[test]
fn what_was_collected_is_sent_when_the_stream_is_dropped() {
    for role in ROLES {
        let world = World::new(1);
        let (stream, mut peer) = driven(&world, &Setup::new(role));
        let mut stream = stream.write_buffer(100);
        world.at_once(async move { write_all(&mut stream, b"collected").await.unwrap() });
        world.run();
        assert_eq!(peer.frames().first(), Some(&binary("collected")));
        let (stream, mut peer) = polled(&world, role);
        let mut stream = stream.write_buffer(100);
        world.at_once(async move { write_all(&mut stream, b"collected").await.unwrap() });
        world.run();
        assert_eq!(peer.frames().first(), Some(&binary("collected")));
    }
}
