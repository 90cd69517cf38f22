//! Futures dropped at every point where they wait: nothing is lost, nothing comes twice.

use super::*;

#[test]
fn each_future_can_be_dropped_at_each_poll_and_tried_again() {
    for role in ROLES {
        for operation in ["recv", "next", "send", "fragment", "feed", "sink", "flush", "ping", "close", "closed"] {
            for polls in 0..6 {
                for when_woken in [false, true] {
                    drop_and_try_again(role, operation, polls, when_woken);
                }
            }
        }
    }
}

/// An application that does something, gives up after so many polls, does it once more, and goes on.
fn drop_and_try_again(role: Role, operation: &'static str, polls: usize, when_woken: bool) {
    let what = format!("{operation}, {polls} polls, {when_woken}, {role:?}");
    let world = World::new(polls as u64);
    let streaming = Streaming::new(role).timeless().link(|link| link.capacity = 3000);
    let (mut stream, mut peer) = streaming.open(&world);
    let app = world.spawn("app", async move {
        let mut told = Vec::new();
        // More than the link holds, and than is queued before `send` waits.
        stream.send(vec![1; 100_000]).await.unwrap();
        for attempt in 0..2 {
            let polls = if attempt == 0 { polls } else { usize::MAX };
            let done = match operation {
                "recv" => cut_off(stream.recv(), polls, when_woken).await.map(|m| told.extend(m.unwrap())).is_some(),
                "next" => {
                    cut_off(stream.next(), polls, when_woken).await.map(|m| told.push(m.unwrap().unwrap())).is_some()
                }
                "send" => cut_off(stream.send("second"), polls, when_woken).await.map(Result::unwrap).is_some(),
                "fragment" => {
                    cut_off(stream.send_fragment("second", true), polls, when_woken).await.map(Result::unwrap).is_some()
                }
                "feed" => cut_off(stream.feed("second"), polls, when_woken).await.map(Result::unwrap).is_some(),
                "sink" => {
                    let sending = async {
                        future::poll_fn(|cx| stream.poll_ready_unpin(cx)).await.unwrap();
                        stream.start_send_unpin("second".into()).unwrap();
                    };
                    cut_off(sending, polls, when_woken).await.is_some()
                }
                "flush" => cut_off(stream.flush(), polls, when_woken).await.map(Result::unwrap).is_some(),
                "ping" => cut_off(stream.ping(), polls, when_woken).await.map(Result::unwrap).is_some(),
                "close" => cut_off(stream.close(1000, ""), polls, when_woken).await.map(Result::unwrap).is_some(),
                // The end does not come: there is nothing to wait for a second time.
                _ => attempt == 1 || cut_off(stream.closed(), polls.min(3), when_woken && polls < 2).await.is_some(),
            };
            if done {
                break;
            }
        }
        told.extend(receive_all(&mut stream).await);
        told
    });
    peer.send_text("one");
    peer.send_text("two");
    let mut frames = Vec::new();
    let mut closes = false;
    for turn in 0..200 {
        world.run();
        for frame in peer.frames() {
            match frame.0 {
                PING => peer.send(PONG, frame.1),
                CLOSE if operation == "close" => {
                    closes = true;
                    peer.send_close(1000, "");
                    peer.to.end();
                }
                _ => frames.push(frame),
            }
        }
        if turn == 150 && operation != "close" {
            peer.send_close(1000, "");
            peer.to.end();
        }
    }
    assert_eq!(closes, operation == "close", "{what}");
    assert_eq!(world.finish(&app), ["one", "two"].map(Message::from), "{what}");
    let mut expected = vec![Frame(BINARY, vec![1; 100_000])];
    if matches!(operation, "send" | "fragment" | "feed" | "sink") {
        expected.push(text("second"));
    }
    frames.retain(|frame| frame.0 != CLOSE);
    assert_eq!(frames, expected, "{what}");
}
