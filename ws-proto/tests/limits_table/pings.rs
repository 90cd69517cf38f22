//! Pings that are still to be answered.

use ws_proto::{Config, Limits, Role};

use super::*;
use crate::common::*;

/// Reads `n` numbered pings in this shape; `None` where there is no such shape.
fn pinged(role: Role, config: &Config, shape: Shape, n: u32) -> Option<End> {
    let mut end = agreed_end(role, config);
    end.writable = false;
    let ping = |i: u32| to(role, PING, i.to_be_bytes());
    match shape {
        Shape::OneFrame => end.read((1..=n).flat_map(ping).collect::<Vec<u8>>()),
        Shape::Fragments => {
            end.read_frame(TEXT_BEGINS, "");
            for i in 1..=n {
                end.read(ping(i));
                end.read_frame(CONTINUES, "x");
            }
            end.read_frame(LAST, "");
            assert_eq!(put_together(&end.seen).last(), Some(&text(&"x".repeat(n as usize))));
        }
        Shape::Compressed if COMPRESSED == 0 => return None,
        Shape::Compressed => {
            let payload = vec![b'x'; n as usize];
            end.read_frame(TEXT_BEGINS | RSV1, "");
            for (i, byte) in (1..).zip(stored(&payload)) {
                if i <= n {
                    end.read(ping(i));
                }
                end.read_frame(CONTINUES, [byte]);
            }
            end.read_frame(LAST, "");
            assert_eq!(put_together(&end.seen).last(), Some(&text(&"x".repeat(n as usize))));
        }
        Shape::Incomplete => {
            for i in 1..=n {
                ping(i).iter().for_each(|byte| end.read([*byte]));
            }
            end.read(&ping(n + 1)[..3]);
        }
    }
    Some(end)
}

#[test]
fn the_limit_on_pending_pongs() {
    assert_eq!(Limits::default().pending_pongs, 16);
    // What is set, and what it comes to.
    for (setting, limit) in [(None, 16), (Some(0), 2), (Some(1), 2), (Some(2), 2), (Some(3), 3), (Some(100), 100)] {
        for role in ROLES {
            for delivery in DELIVERIES {
                let config = config(|config| {
                    config.delivery = delivery;
                    config.limits.pending_pongs = setting.unwrap_or(config.limits.pending_pongs);
                });
                for shape in SHAPES {
                    // At the limit each is answered; past it the newest stands for those between.
                    for n in [limit, limit + 1, limit + 2, 10 * limit] {
                        let Some(mut end) = pinged(role, &config, shape, n) else { continue };
                        let frame = from(role, PONG, [0; 4]).len();
                        assert_eq!(end.connection.queued(), n.min(limit) as usize * frame);
                        end.take(usize::MAX);
                        let expected: Vec<u32> = (1..limit).chain([n]).collect();
                        let answered = end.payloads(PONG);
                        let expected: Vec<Vec<u8>> = expected.iter().map(|i| i.to_be_bytes().to_vec()).collect();
                        assert_eq!(answered, expected, "{shape:?}, {n} pings, at most {limit} pongs");
                        end.writable = true;
                        end.assert_open();
                    }
                }
            }
        }
    }
}
