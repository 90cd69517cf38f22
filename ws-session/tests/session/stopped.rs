//! A process that is stopped for a while: deadlines pass, and are noticed before the runtime has asked the system what came
//! meanwhile.

use ws_session::Cause;

use crate::sim::*;

/// Takes what comes, and tells why it ended.
fn listen(world: &World, setup: &Setup, log: &Log<Option<Cause>>) -> Running {
    let told = log.clone();
    setup.start(world, |mut socket| async move {
        loop {
            match socket.recv().await {
                Ok(Some(_)) => {}
                Ok(None) => break told.push(None),
                Err(error) => break told.push(error.closed().map(|closed| closed.outcome().cause.clone())),
            }
        }
        Ok(())
    })
}

/// What a peer did in time, and the deadline that it would have missed otherwise.
struct Case {
    set_up: fn(&mut Setup),
    begin: fn(&mut Running),
    go_on: fn(&mut Running),
    cause: Cause,
}

fn cases() -> [Case; 3] {
    [
        Case {
            set_up: |_| (),
            begin: |_| (),
            go_on: |running| {
                for Frame(_, payload) in running.peer.frames() {
                    running.peer.send(PONG, payload);
                }
            },
            cause: Cause::KeepaliveTimeout,
        },
        Case {
            set_up: |setup| setup.config.deadlines.pong = None,
            begin: |running| running.peer.to.push(&running.peer.frame(TEXT, "begun")[..4]),
            go_on: |running| running.peer.to.push(&running.peer.frame(TEXT, "begun")[4..]),
            cause: Cause::MessageTimeout,
        },
        Case {
            set_up: |setup| {
                setup.config.deadlines.ping_interval = Some(secs(3));
                setup.config.deadlines.pong = None;
            },
            begin: |running| running.peer.from.stall_writes(true),
            go_on: |_| (),
            cause: Cause::WriteStall,
        },
    ]
}

#[test]
fn input_that_came_in_time_is_seen_before_a_late_deadline_is_judged() {
    for setup in setups() {
        for Case { set_up, begin, go_on, cause } in cases() {
            for in_time in [true, false] {
                let world = World::new(1);
                let log = Log::new();
                let mut setup = setup.clone();
                set_up(&mut setup);
                let mut running = listen(&world, &setup, &log);
                world.run();
                begin(&mut running);
                world.advance(secs(22));
                // From here on it is stopped. The system has what comes, and the runtime does not know.
                running.peer.to.stall_reads(true);
                if in_time {
                    go_on(&mut running);
                }
                world.stop_for(secs(50));
                assert_eq!(log.len(), 0, "{setup:?}, {cause:?}: not judged yet");
                assert!(running.peer.frames().iter().all(|frame| frame.0 != CLOSE), "{setup:?}, {cause:?}");
                // The runtime asks the system.
                if in_time {
                    running.peer.to.stall_reads(false);
                    running.peer.from.stall_writes(false);
                }
                world.advance(millis(100));
                let expected = if in_time { vec![] } else { vec![Some(cause.clone())] };
                assert_eq!(log.take(), expected, "{setup:?}, in time: {in_time}");
            }
        }
    }
}

#[test]
fn a_close_that_came_in_time_is_seen_before_the_closing_deadline_is_judged() {
    for setup in setups() {
        for in_time in [true, false] {
            let world = World::new(1);
            let log = Log::new();
            let told = log.clone();
            let running = setup.start(&world, |socket| async move {
                told.push(socket.close(1000, "").await.map_err(|_| ()).map(|outcome| outcome.is_clean()));
                Ok(())
            });
            world.advance(secs(1));
            running.peer.to.stall_reads(true);
            if in_time {
                running.peer.send_close(1000, "");
                running.peer.to.end();
            }
            world.stop_for(secs(300));
            assert_eq!(log.len(), 0, "{setup:?}: not judged yet");
            running.peer.to.stall_reads(false);
            world.advance(secs(20));
            assert_eq!(log.take(), [if in_time { Ok(true) } else { Err(()) }], "{setup:?}, in time: {in_time}");
        }
    }
}
