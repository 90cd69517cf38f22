//! `broadcast`.

use futures_util::{FutureExt as _, StreamExt as _, stream};
use ws_session::BroadcastOutcome::{self, Busy, Closed, ClosedAsSlow, Queued, Skipped};
use ws_session::{CloseCode, MessageKind, Prepared, Sender, SlowConsumer, broadcast};

use super::*;

/// A connection whose peer takes nothing beyond `capacity`.
fn connection(world: &World, role: Role, capacity: usize) -> (Sender, Running) {
    let log = Log::new();
    let got = log.clone();
    let setup = Setup::new(role).timeless().link(|link| link.capacity = capacity);
    let running = setup.start(world, |ws| async move {
        got.push(ws.sender());
        drop(ws.closed().await);
        Ok(())
    });
    world.run();
    (log.take().pop().expect("the handle"), running)
}

fn outcomes(all: &[(&Sender, BroadcastOutcome)]) -> Vec<BroadcastOutcome> {
    all.iter().map(|(_, outcome)| *outcome).collect()
}

#[test]
fn each_connection_has_its_outcome_and_slow_ones_are_the_callers_choice() {
    for role in ROLES {
        for (slow, outcome) in [
            (SlowConsumer::Skip, Skipped),
            (SlowConsumer::Queue, Queued),
            (SlowConsumer::Close(CloseCode::TRY_AGAIN_LATER), ClosedAsSlow),
            (SlowConsumer::Close(CloseCode::NO_STATUS), ClosedAsSlow),
        ] {
            let world = World::new(1);
            let (fast, mut fast_runs) = connection(&world, role, 1 << 20);
            let (late, mut late_runs) = connection(&world, role, 1000);
            let (gone, gone_runs) = connection(&world, role, 1 << 20);
            let (busy, _busy_runs) = connection(&world, role, 1 << 20);
            drop(gone.close(1000, ""));
            gone_runs.peer.send_close(1000, "");
            late.try_send(vec![7; 100_000]).unwrap();
            let items = stream::iter(["a"]).chain(stream::pending());
            let mut streaming = Box::pin(busy.send_stream(MessageKind::Text, items));
            assert!((&mut streaming).now_or_never().is_none());
            world.run();
            let news = Prepared::new("news");
            let all = broadcast([&fast, &late, &gone, &busy], &news, slow);
            assert_eq!(outcomes(&all), [Queued, outcome, Closed, Busy], "{role:?}, {slow:?}");
            assert_eq!(all[1].0, &late, "in their order");
            world.run();
            assert_eq!(fast_runs.peer.frames(), [text("news")]);
            late_runs.peer.from.set_capacity(1 << 20);
            let mut frames = vec![];
            for _ in 0..200 {
                frames.extend(late_runs.peer.frames());
                world.run();
            }
            let reason = "too slow for the messages sent here";
            match slow {
                SlowConsumer::Skip => assert_eq!(frames.len(), 1),
                SlowConsumer::Queue => assert_eq!(frames[1], text("news")),
                SlowConsumer::Close(CloseCode::TRY_AGAIN_LATER) => assert_eq!(frames[1], close(1013, reason)),
                _ => assert_eq!(frames[1], close(1008, reason), "a code that may be sent"),
            }
        }
    }
}

#[test]
fn a_slow_connection_gets_messages_up_to_the_cap_of_its_queue() {
    let world = World::new(1);
    let (late, _running) = connection(&world, Role::Server, 1000);
    let news = Prepared::new(vec![7; 400_000]);
    let sent = |slow| outcomes(&broadcast([&late], &news, slow))[0];
    assert_eq!([(); 4].map(|()| sent(SlowConsumer::Queue)), [Queued, Queued, Skipped, Skipped]);
    assert_eq!(sent(SlowConsumer::Skip), Skipped);
    assert!(late.is_open());
}
