//! Both directions at a time, and their separate ends.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;

/// The bytes of a direction. None equals its neighbour.
fn data(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n % 251) as u8).collect()
}

/// Writes in pieces of random sizes, with a flush now and then, and ends.
async fn write_at_random<S: MessageSocket>(stream: &RefCell<ByteChannel<S>>, mut bytes: &[u8], mut rng: Rng) {
    while !bytes.is_empty() {
        let most = bytes.len().min(1 + rng.below(40_000));
        let n = poll_fn(|cx| stream.borrow_mut().poll_write(cx, &bytes[..most])).await.unwrap();
        bytes = &bytes[n..];
        if rng.one_in(5) {
            poll_fn(|cx| stream.borrow_mut().poll_flush(cx)).await.unwrap();
        }
    }
    poll_fn(|cx| stream.borrow_mut().poll_shutdown(cx)).await.unwrap();
}

async fn read_at_random<S: MessageSocket>(stream: &RefCell<ByteChannel<S>>, mut rng: Rng) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let mut buffer = vec![0; 1 + rng.below(30_000)];
        match poll_fn(|cx| stream.borrow_mut().poll_read(cx, &mut buffer)).await.unwrap() {
            0 => return all,
            n => all.extend(&buffer[..n]),
        }
    }
}

#[test]
fn both_directions_go_on_and_end_separately_under_any_schedule() {
    for seed in seeds(30) {
        let world = World::new(seed);
        let mut config = Config::default();
        timeless(&mut config);
        let mut rng = world.rng();
        let options = LinkOptions {
            capacity: 1 + rng.below(5000),
            chunk: 1 + rng.below(3000),
            hiccups: rng.one_in(2),
            buffered: rng.one_in(2),
            ..LinkOptions::default()
        };
        let buffer = [0, 100, 20_000][rng.below(3)];
        let mut reading = Vec::new();
        for (side, stream) in pair(&world, &config, options).into_iter().enumerate() {
            // The first ends its direction long before the second.
            let sent = data([10_000, 300_000][side]);
            let stream = Rc::new(RefCell::new(stream.half_close(true).write_buffer(buffer)));
            let (writer, rng) = (Rc::clone(&stream), world.rng());
            world.spawn("writing", async move { write_at_random(&writer, &sent, rng).await });
            let rng = world.rng();
            reading.push(world.spawn("reading", async move { read_at_random(&stream, rng).await }));
        }
        for (reading, len) in reading.iter().zip([300_000, 10_000]) {
            assert!(world.finish(reading) == data(len), "{seed}");
        }
    }
}

#[test]
fn the_answer_to_the_end_of_the_data_arrives() {
    for seed in seeds(20) {
        let world = World::new(seed);
        let [server, client] = pair(&world, &Config::default(), LinkOptions::default());
        let (mut server, mut client) = (server.half_close(true), client.half_close(true));
        let serving = world.spawn("server", async move {
            let mut all = read_to_end(&mut server).await.unwrap();
            all.sort_unstable();
            write_all(&mut server, &all).await.unwrap();
            shutdown(&mut server).await.unwrap();
            server.into_inner().0.closed().await
        });
        let asking = world.spawn("client", async move {
            write_all(&mut client, b"sort me").await.unwrap();
            shutdown(&mut client).await.unwrap();
            let answer = read_to_end(&mut client).await.unwrap();
            (answer, client.into_inner().0.closed().await)
        });
        let (answer, outcome) = world.finish(&asking);
        assert_eq!(answer, b" emorst");
        assert!(outcome.is_normal() && world.finish(&serving).is_normal(), "{outcome}");
    }
}

#[test]
fn an_empty_message_is_the_end_only_where_that_is_set() {
    for role in ROLES {
        let world = World::new(1);
        let (stream, mut peer) = driven(&world, &Setup::new(role));
        let mut stream = stream.half_close(true);
        let app = world.spawn("app", async move {
            let request = read_to_end(&mut stream).await.unwrap();
            assert!(read(&mut stream, 10).await.unwrap().is_empty());
            write_all(&mut stream, b"answer").await.unwrap();
            shutdown(&mut stream).await.unwrap();
            request
        });
        peer.send(BINARY, "request");
        world.run();
        assert!(app.take().is_none());
        peer.send(BINARY, "");
        assert_eq!(world.finish(&app), b"request");
        // The peer's direction has ended, so ours ends the connection.
        assert_eq!(peer.frames(), [Frame(BINARY, b"answer".into()), close(1000, "")]);
    }
}

#[test]
fn a_shutdown_leaves_the_connection_open_until_the_peer_ends_too() {
    for role in ROLES {
        let world = World::new(1);
        let (stream, mut peer) = driven(&world, &Setup::new(role).timeless());
        let mut stream = stream.half_close(true);
        let app = world.spawn("app", async move {
            shutdown(&mut stream).await.unwrap();
            assert_eq!(write(&mut stream, b"more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
            read_to_end(&mut stream).await.unwrap()
        });
        world.run();
        assert_eq!(peer.frames(), [Frame(BINARY, Vec::new())]);
        // Longer than any deadline of a closing connection.
        world.advance(secs(1000));
        peer.send(BINARY, "late");
        peer.send(BINARY, "");
        world.run();
        assert_eq!(peer.frames(), [close(1000, "")], "sent by the time that the end is read");
        assert_eq!(world.finish(&app), b"late");
    }
}

#[test]
fn a_polled_stream_is_read_and_written_by_one_task() {
    for seed in seeds(20) {
        let world = World::new(seed);
        let (a, b) = link(LinkOptions { capacity: 3000, ..LinkOptions::default() }, &mut world.rng());
        let server = Parts::server(a, SimTimer::new()).into_stream().into_bytes().half_close(true);
        let client = Parts::client(b, SimTimer::new()).into_stream().into_bytes().half_close(true);
        let tasks = [server, client].map(|stream| {
            let (stream, one, other) = (RefCell::new(stream), world.rng(), world.rng());
            world.spawn("both", async move {
                let sent = data(100_000);
                let writing = write_at_random(&stream, &sent, one);
                let received = future::join(writing, read_at_random(&stream, other)).await.1;
                // Dropping it ends the transport, so the closing handshake is completed first.
                let (mut ws, _) = stream.into_inner().into_inner();
                (received, ws.closed().await)
            })
        });
        for task in &tasks {
            let (received, outcome) = world.finish(task);
            assert!(received == data(100_000) && outcome.is_normal(), "{outcome}");
        }
    }
}
