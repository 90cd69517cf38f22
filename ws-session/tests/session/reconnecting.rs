//! Clients that connect again: when, how often, after which failures; and handlers that run on each connection.

use std::io;
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use ws_session::{Addresses, ConnectError, HandlerError, RunError, WebSocket};

use crate::sim::*;

/// What a server does with its connection after so long.
#[derive(Clone, Copy)]
enum Answer {
    /// Opens it, and closes it after so long.
    Closes(Duration),
    /// Refuses the request with this response.
    Says(&'static str),
    /// Does not let anybody connect.
    Fails,
}

/// The times at which a server was asked.
type Asked = Arc<Mutex<Vec<Duration>>>;

/// A client of a server that answers in turn, the last answer for ever.
fn client(world: &World, answers: &[Answer]) -> (Client, Asked) {
    let asked = Asked::default();
    let (answers, times, clock) = (answers.to_vec(), Arc::clone(&asked), SimTimer::new());
    let _ = world;
    let clock = Mutex::new(clock);
    let client = Client::new("ws://a.test/").connector(move |_| {
        let n = {
            let mut times = times.lock().unwrap();
            times.push(ws_session::Timer::now(&*clock.lock().unwrap()).since_origin());
            times.len() - 1
        };
        let answer = answers[n.min(answers.len() - 1)];
        let (ours, theirs) = link(LinkOptions::default(), &mut Rng(1));
        let connected = match answer {
            Answer::Fails => Err(io::Error::from(io::ErrorKind::ConnectionRefused)),
            Answer::Closes(after) => {
                spawn_here("server", async move {
                    let (socket, driver) = Server::new().accept(theirs, Addresses::default()).await.unwrap();
                    let closing = async move {
                        sleep(after).await;
                        drop(socket.close(1001, "").await);
                    };
                    futures_util::future::join(driver, closing).await;
                });
                Ok((ours, Addresses::default()))
            }
            Answer::Says(response) => {
                let peer = Peer::new(ws_proto::Role::Server, theirs);
                peer.to.push(response.as_bytes());
                spawn_here("refusing", async move {
                    let _held = peer;
                    sleep(secs(1)).await;
                });
                Ok((ours, Addresses::default()))
            }
        };
        async move { connected }
    });
    (client, asked)
}

fn times(asked: &Asked) -> Vec<Duration> {
    asked.lock().unwrap().clone()
}

/// Follows connections to their ends, for so long.
fn follow(world: &World, client: Client, time: Duration) {
    let following = world.spawn("client", async move {
        let mut connections = client.reconnect();
        while let Some(connection) = connections.next().await {
            if let Ok(mut ws) = connection {
                while let Ok(Some(_)) = ws.recv().await {}
            }
        }
    });
    world.advance(time);
    assert!(!following.is_finished(), "without a limit, it goes on");
    world.cancel(&following);
}

#[test]
fn a_server_that_closes_at_once_is_asked_at_most_30_times_in_ten_minutes() {
    for seed in 1..=20 {
        for answer in [Answer::Closes(Duration::ZERO), Answer::Closes(secs(1)), Answer::Fails] {
            let world = World::new(seed);
            let (client, asked) = client(&world, &[answer]);
            follow(&world, client, secs(3600));
            let times = times(&asked);
            for (n, &first) in times.iter().enumerate() {
                let within = times[n..].iter().take_while(|&&at| at - first <= secs(600)).count();
                assert!(within <= 30, "{within} times from {first:?} on");
            }
            assert!(times.len() >= 60, "it does go on: {}", times.len());
            assert!(times[1] - times[0] <= millis(1_500), "and it begins soon");
        }
    }
}

#[test]
fn a_stable_minute_resets_the_delay() {
    for seed in 1..=10 {
        let world = World::new(seed);
        let unstable = [Answer::Fails; 8];
        let (client, asked) =
            client(&world, &[&unstable[..], &[Answer::Closes(secs(60)), Answer::Closes(secs(9_999))]].concat());
        follow(&world, client, secs(2_000));
        let times = times(&asked);
        assert_eq!(times.len(), 10);
        let delay = times[9] - times[8] - secs(60);
        assert!(delay <= millis(500), "{delay:?}");
    }
    // A second less does not: of twenty delays, some are longer than the first bound.
    let delays = (1..=20).map(|seed| {
        let world = World::new(seed);
        let answers = [&[Answer::Fails; 6][..], &[Answer::Closes(secs(59)), Answer::Closes(secs(9_999))]].concat();
        let (client, asked) = client(&world, &answers);
        follow(&world, client, secs(2_000));
        let times = times(&asked);
        times[7] - times[6] - secs(59)
    });
    assert!(delays.max().unwrap() > secs(5));
}

#[test]
fn every_failure_is_shown_with_its_delay() {
    let world = World::new(1);
    let busy = "HTTP/1.1 503 Busy\r\nRetry-After: 20\r\nContent-Length: 0\r\n\r\n";
    let (client, asked) = client(&world, &[Answer::Fails, Answer::Says(busy), Answer::Closes(secs(1))]);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&seen);
    let mut connections = client.reconnect().on_failure(move |failed| tell.lock().unwrap().push(failed.to_string()));
    let told = world.block_on(async move {
        let mut told = Vec::new();
        loop {
            match connections.next().await.unwrap() {
                Ok(_) => return told,
                Err(failed) => told.push((failed.to_string(), failed.attempt(), failed.retry_in().unwrap())),
            }
        }
    });
    assert_eq!(told.iter().map(|(text, ..)| text.clone()).collect::<Vec<_>>(), *seen.lock().unwrap());
    let [(first, 1, _), (second, 2, wish)] = &told[..] else { panic!("{told:?}") };
    assert!(first.starts_with("attempt 1: the connector failed: connection refused; the next in "), "{first}");
    assert!(second.starts_with("attempt 2: server rejected the WebSocket connection: HTTP 503"), "{second}");
    assert!(*wish >= secs(20) && *wish <= secs(21), "{wish:?}");
    let times = times(&asked);
    assert_eq!(times[1] - times[0], told[0].2);
    assert_eq!(times[2] - times[1], *wish);
}

#[test]
fn failures_that_do_not_pass_end_the_stream() {
    for (response, passes) in [
        ("HTTP/1.1 429 X\r\nContent-Length: 0\r\n\r\n", true),
        ("HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", true),
        ("HTTP/1.1 504 X\r\nContent-Length: 0\r\n\r\n", true),
        ("HTTP/1.1 401 X\r\nContent-Length: 0\r\n\r\n", false),
        ("HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n", false),
        ("220 smtp\r\n", false),
    ] {
        let world = World::new(1);
        let (client, asked) = client(&world, &[Answer::Says(response), Answer::Closes(secs(1))]);
        let mut connections = client.reconnect();
        world.block_on(async move {
            let failed = connections.next().await.unwrap().unwrap_err();
            assert_eq!(failed.retry_in().is_some(), passes, "{failed}");
            match connections.next().await {
                Some(connection) => assert!(connection.is_ok() && passes),
                None => assert!(!passes),
            }
        });
        assert_eq!(times(&asked).len(), 1 + usize::from(passes), "{response}");
    }
    // The program decides otherwise.
    for again in [false, true] {
        let world = World::new(1);
        let (client, _) = client(&world, &[Answer::Says("HTTP/1.1 401 X\r\nContent-Length: 0\r\n\r\n"), Answer::Fails]);
        let mut connections = client.reconnect().retry_if(move |_| again);
        let failed = world.block_on(async move { connections.next().await.unwrap().unwrap_err() });
        assert_eq!(failed.retry_in().is_some(), again);
    }
}

/// Neither is an attempt that has ended polled again, nor does the panic repeat itself.
#[test]
fn a_hook_that_panics_does_so_once() {
    for by_decision in [true, false] {
        let world = World::new(1);
        let (client, _) = client(&world, &[Answer::Fails]);
        let connections = client.reconnect();
        let mut connections = match by_decision {
            true => connections.retry_if(|_| panic!("as it should")),
            false => connections.on_failure(|_| panic!("as it should")),
        };
        let next = world.block_on(async move {
            AssertUnwindSafe(connections.next()).catch_unwind().await.unwrap_err();
            connections.retry_if(|_| false).on_failure(|_| {}).next().await
        });
        match by_decision {
            true => assert!(next.is_none(), "it has ended"),
            false => assert_eq!(next.unwrap().unwrap_err().attempt(), 2, "the next attempt"),
        }
    }
}

#[test]
fn attempts_and_time_are_limited() {
    let world = World::new(1);
    let (failing, asked) = client(&world, &[Answer::Fails]);
    let mut connections = failing.reconnect().max_attempts(3);
    world.block_on(async move {
        let mut last = None;
        while let Some(connection) = connections.next().await {
            last = Some(connection.unwrap_err());
        }
        let last = last.unwrap();
        assert_eq!((last.attempt(), last.retry_in()), (3, None));
        assert_eq!(last.to_string(), "attempt 3: the connector failed: connection refused; there is no further one");
        assert!(connections.next().await.is_none(), "it stays at its end");
    });
    assert_eq!(times(&asked).len(), 3);

    let (failing, asked) = client(&world, &[Answer::Fails]);
    let begun = world.now();
    let mut connections = failing.reconnect().max_time(secs(60));
    world.block_on(async move { while connections.next().await.is_some() {} });
    assert!(world.now() - begun <= secs(60) && times(&asked).len() > 3);

    let (closing, asked) = client(&world, &[Answer::Closes(secs(1))]);
    let mut connections = closing.reconnect().max_attempts(2);
    world.block_on(async move {
        for _ in 0..2 {
            let mut ws = connections.next().await.unwrap().unwrap();
            while let Ok(Some(_)) = ws.recv().await {}
        }
        assert!(connections.next().await.is_none());
    });
    assert_eq!(times(&asked).len(), 2);
}

#[test]
fn a_dropped_call_loses_neither_delay_nor_attempt() {
    let world = World::new(1);
    let (client, asked) = client(&world, &[Answer::Fails, Answer::Closes(secs(1))]);
    let mut connections = client.reconnect().backoff(secs(100), secs(100));
    world.block_on(async move {
        let failed = connections.next().await.unwrap().unwrap_err();
        let begun = SimTimer::new();
        loop {
            // Each call waits for a second at most.
            let waited = futures_util::future::select(Box::pin(connections.next()), Box::pin(sleep(secs(1)))).await;
            if let futures_util::future::Either::Left((connection, _)) = waited {
                drop(connection.unwrap().unwrap());
                break;
            }
        }
        let waited = ws_session::Timer::now(&begun).since_origin();
        assert!(waited >= failed.retry_in().unwrap(), "{waited:?}");
        assert!(waited <= failed.retry_in().unwrap() + secs(1), "{waited:?}");
    });
    assert_eq!(times(&asked).len(), 2);
}

#[test]
fn a_stream_of_connections_without_tasks() {
    let world = World::new(1);
    let (client, _) = client(&world, &[Answer::Closes(secs(1))]);
    let mut connections = client.reconnect();
    world.block_on(async move {
        for _ in 0..3 {
            let mut ws = connections.next_stream().await.unwrap().unwrap();
            assert_eq!(ws.recv().await.unwrap(), None);
        }
        // As a `Stream`.
        let next = futures_util::StreamExt::next(&mut connections).await;
        drop(next.unwrap().unwrap());
    });
}

#[test]
fn a_handler_runs_on_each_connection() {
    let world = World::new(1);
    let (client, asked) = client(&world, &[Answer::Closes(secs(1)), Answer::Fails, Answer::Closes(secs(1))]);
    let mut runs = 0;
    let result = world.block_on(async move {
        client
            .reconnect()
            .run(|mut ws: WebSocket| {
                runs += 1;
                async move {
                    ws.send("subscribe").await?;
                    match runs {
                        // The end of the connection, as `?` passes it on.
                        1 => {
                            while ws.recv().await?.is_some() {}
                            ws.send("too late").await?;
                            panic!("the connection has ended");
                        }
                        // As an error that has it as its cause.
                        2 => {
                            while ws.recv().await?.is_some() {}
                            let error = ws.send("too late").await.unwrap_err();
                            Err(io::Error::other(error).into())
                        }
                        3 => Ok(ControlFlow::Continue(())),
                        n => Ok(ControlFlow::Break(n)),
                    }
                }
            })
            .await
    });
    assert_eq!(result.unwrap(), 4);
    assert_eq!(times(&asked).len(), 5);
}

/// A handler that only sends learns of the peer's Close from `send`, before the connection has ended.
#[test]
fn a_message_that_comes_too_late_leads_to_the_next_connection() {
    for seed in 1..=20 {
        let world = World::new(seed);
        let (client, asked) = client(&world, &[Answer::Closes(secs(1))]);
        let mut runs = 0;
        let result = world.block_on(async move {
            let handler = |ws: WebSocket| {
                runs += 1;
                async move {
                    if runs == 3 {
                        return Ok(ControlFlow::Break(()));
                    }
                    loop {
                        ws.send("tick").await?;
                        sleep(millis(1)).await;
                    }
                }
            };
            client.reconnect().run(handler).await
        });
        assert!(result.is_ok(), "{seed}: {result:?}");
        assert_eq!(times(&asked).len(), 3);
    }
}

#[test]
fn a_handlers_own_failure_ends_the_run() {
    let world = World::new(1);
    let (closing, asked) = client(&world, &[Answer::Closes(secs(1))]);
    let result: Result<(), _> =
        world.block_on(async move { closing.reconnect().run(|_| async { Err("no such room".into()) }).await });
    assert!(
        matches!(result, Err(RunError::Handler(HandlerError::Failed(error))) if error.to_string() == "no such room")
    );
    let (closing, _) = client(&world, &[Answer::Closes(secs(1))]);
    let result: Result<(), _> =
        world.block_on(async move { closing.reconnect().run(|_| async { panic!("on purpose") }).await });
    assert!(matches!(result, Err(RunError::Handler(HandlerError::Panicked(_)))));
    assert_eq!(times(&asked).len(), 1);

    // So does the end of another connection: that is no reason to connect here again.
    let (other, _) = client(&world, &[Answer::Closes(Duration::ZERO)]);
    let (closing, asked) = client(&world, &[Answer::Closes(secs(9))]);
    let result: Result<(), _> = world.block_on(async move {
        let handler = move |_| {
            let other = other.clone();
            async move {
                let mut other = other.connect().await?;
                while other.recv().await?.is_some() {}
                other.send("too late").await?;
                Ok(ControlFlow::Continue(()))
            }
        };
        closing.reconnect().run(handler).await
    });
    assert!(matches!(result, Err(RunError::Handler(HandlerError::Failed(_)))), "{result:?}");
    assert_eq!(times(&asked).len(), 1);

    let (failing, _) = client(&world, &[Answer::Fails]);
    let result: Result<(), _> = world.block_on(async move {
        failing.reconnect().max_attempts(2).run(|_| async { Ok(ControlFlow::Continue(())) }).await
    });
    assert!(matches!(result, Err(RunError::Connect(ConnectError::Connector(_)))));
    let (closing, _) = client(&world, &[Answer::Closes(secs(1))]);
    let result: Result<(), _> = world.block_on(async move {
        closing.reconnect().max_attempts(2).run(|_| async { Ok(ControlFlow::Continue(())) }).await
    });
    let error = result.unwrap_err();
    assert!(matches!(error, RunError::GaveUp { attempts: 2, .. }));
    assert_eq!(error.to_string(), "gave up after 2 attempts without a stable connection");
}
