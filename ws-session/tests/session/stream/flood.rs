//! Two peers that both send a lot.

use super::*;

fn small_link() -> LinkOptions {
    LinkOptions { capacity: 5000, chunk: 700, ..LinkOptions::default() }
}

#[test]
fn two_that_send_before_they_receive_do_not_wait_for_each_other() {
    let world = World::new(1);
    let mut config = Config::default();
    timeless(&mut config);
    let (server, client) = pair(&world, &config, small_link());
    let run = |mut stream: Stream| async move {
        for n in 0..4_000 {
            stream.send(format!("message {n}")).await.unwrap();
        }
        for n in 0..4_000 {
            assert_eq!(stream.recv().await.unwrap(), Some(format!("message {n}").into()));
        }
        // What is queued here leaves while it is waited for.
        stream.flush().await.unwrap();
        stream
    };
    let tasks = [world.spawn("server", run(server)), world.spawn("client", run(client))];
    for task in &tasks {
        world.finish(task);
    }
}

#[test]
fn an_echo_of_more_than_any_buffer_holds_goes_through() {
    let world = World::new(1);
    let mut config = Config::default();
    timeless(&mut config);
    let (server, mut client) = pair(&world, &config, small_link());
    world.spawn("server", send_back(server));
    let app = world.spawn("client", async move {
        for n in 0..3_000 {
            client.send(format!("{n}")).await.unwrap();
        }
        for n in 0..3_000 {
            assert_eq!(client.recv().await.unwrap(), Some(format!("{n}").into()));
        }
        assert!(client.close(1000, "").await.unwrap().is_clean());
    });
    world.finish(&app);
}

#[test]
fn a_sender_beside_the_receiving_stream_bounds_nothing() {
    let world = World::new(1);
    let mut config = Config::default();
    timeless(&mut config);
    let (server, client) = pair(&world, &config, small_link());
    async fn send(sender: Sender) {
        for _ in 0..200 {
            sender.send(vec![7; 20_000]).await.unwrap();
        }
    }
    let run = |mut stream: Stream| async move {
        let sender = stream.sender();
        let receiving = async {
            for _ in 0..200 {
                assert_eq!(stream.recv().await.unwrap().unwrap().len(), 20_000);
            }
            // The other half of `join` still needs somebody who polls.
            let mut flushing = pin!(stream.flush());
            flushing.as_mut().await
        };
        let (_, flushed) = future::join(send(sender), receiving).await;
        flushed.unwrap();
        stream.flush().await.unwrap();
        stream
    };
    let tasks = [world.spawn("server", run(server)), world.spawn("client", run(client))];
    for task in &tasks {
        world.finish(task);
    }
}

#[test]
fn input_read_while_sending_waits_stays_bounded() {
    let world = World::new(1);
    let (mut stream, peer) = Streaming::new(Role::Server).timeless().link(|link| link.capacity = 100).open(&world);
    let app = world.spawn("app", async move { stream.send(vec![0; 200_000]).await.map(|()| stream) });
    world.run();
    let mut stream = app.take().expect("the first is queued").unwrap();
    let app = world.spawn("app", async move { stream.send(vec![0; 200_000]).await });
    let frame = peer.frame(TEXT, "");
    let flood = frame.repeat(200_000);
    for _ in 0..10 {
        peer.to.push(&flood);
        world.run();
    }
    let read = 10 * flood.len() - peer.to.len();
    assert!(!app.is_finished());
    // 64 bytes are counted for each message: no more than 4 MiB of them, and what one read brings.
    assert!(read / frame.len() <= (4 << 20) / 64 + (256 << 10) / frame.len(), "{} messages", read / frame.len());
}

#[test]
fn two_that_never_receive_end_by_the_deadline_for_writes() {
    let world = World::new(1);
    let (server, client) = pair(&world, &Config::default(), small_link());
    let run = |mut stream: Stream| async move {
        loop {
            if let Err(error) = stream.send(vec![0; 100_000]).await {
                break error;
            }
        }
    };
    let tasks = [world.spawn("server", run(server)), world.spawn("client", run(client))];
    for task in &tasks {
        world.finish(task);
    }
    assert!(world.now() < secs(120), "{:?}", world.now());
}
