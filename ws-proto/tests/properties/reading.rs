//! Where a stream is read changes nothing: in memory of the driver's, whole or byte by byte, or where the connection says.

use std::sync::Arc;

use super::made_up::*;
use super::streams::{Damage, any_damage};
use crate::common::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use ws_proto::{Connection, Delivery, Memory, Message, ReadBuffer, Role};

/// A binary message that is long enough for memory of its own, or the next one; or something in between.
#[derive(Clone, Debug)]
enum Say {
    Binary { len: usize, times: usize },
    Fragments(Vec<usize>),
    Text(usize),
    Ping,
}

fn any_says() -> impl Strategy<Value = Vec<Say>> {
    let len =
        || prop_oneof![2 => select(&[4095, 4096, 16_383, 16_384, 20_000, 65_535, 70_000][..]), 1 => 0..90_000usize];
    let say = prop_oneof![
        4 => (len(), 1..4usize).prop_map(|(len, times)| Say::Binary { len, times }),
        1 => vec(len(), 1..4).prop_map(Say::Fragments),
        1 => len().prop_map(Say::Text),
        1 => Just(Say::Ping),
    ];
    vec(say, 0..6)
}

impl Say {
    fn send(&self, from: &mut End) {
        let binary = |len: usize| -> Message { (0..len).map(|n| (n * n / 7) as u8).collect::<Vec<u8>>().into() };
        let connection = &mut from.connection;
        match self {
            Self::Binary { len, times } => (0..*times).for_each(|_| connection.send(binary(*len)).unwrap()),
            Self::Fragments(lens) => {
                for (i, &len) in lens.iter().enumerate() {
                    connection.send_fragment(binary(len), i + 1 == lens.len()).unwrap();
                    let _ = connection.ping(from.now);
                }
            }
            Self::Text(len) => connection.send_text(&"é".repeat(len / 2)).unwrap(),
            Self::Ping => drop(connection.ping(from.now)),
        }
    }
}

/// Memory as it should be, or not.
#[derive(Clone, Copy, Debug)]
enum Supplies {
    Nothing,
    AsAsked,
    TooLittle,
    TooMuch,
    UsedBefore,
}

impl Memory for Supplies {
    fn take_message(&self, capacity: usize) -> Vec<u8> {
        match self {
            Self::Nothing => vec![],
            Self::AsAsked => Vec::with_capacity(capacity),
            Self::TooLittle => vec![0xEE; capacity / 2],
            Self::TooMuch => vec![0xEE; 3 * capacity],
            Self::UsedBefore => vec![0xEE; capacity + capacity / 2],
        }
    }
}

fn any_memory() -> impl Strategy<Value = Option<Supplies>> {
    use Supplies::*;
    prop_oneof![1 => Just(None), 4 => select(&[Nothing, AsAsked, TooLittle, TooMuch, UsedBefore][..]).prop_map(Some)]
}

/// How both ends are set up.
#[derive(Clone, Copy, Debug)]
struct Ends {
    role: Role,
    delivery: Delivery,
    #[cfg_attr(not(feature = "deflate"), expect(dead_code, reason = "nothing is compressed without the feature"))]
    compresses: bool,
}

fn any_ends() -> impl Strategy<Value = Ends> {
    (any_role(), any_delivery(), any::<bool>()).prop_map(|(role, delivery, compresses)| Ends {
        role,
        delivery,
        compresses,
    })
}

impl Ends {
    fn end(self, role: Role) -> End {
        let config = config(|config| {
            config.delivery = self.delivery;
            (config.limits.high_water, config.limits.hard_cap) = (usize::MAX, usize::MAX);
        });
        #[cfg_attr(not(feature = "deflate"), allow(unused_mut))]
        let mut end = end(role, &config);
        #[cfg(feature = "deflate")]
        if self.compresses {
            use ws_proto::permessage_deflate::{Deflate, DeflateParams};

            let mut agreed = DeflateParams::new(Deflate::client());
            (agreed.send_window_bits, agreed.receive_window_bits) = (12, 12);
            (agreed.send_context_takeover, agreed.receive_context_takeover) = (true, true);
            (agreed.level, agreed.threshold) = (1, 0);
            end.connection.set_deflate(Some(agreed));
        }
        end
    }

    fn stream(self, says: &[Say], damage: &[Damage]) -> Vec<u8> {
        let mut from = self.end(peer(self.role));
        says.iter().for_each(|say| say.send(&mut from));
        from.take(usize::MAX);
        damage.iter().for_each(|damage| damage.apply(&mut from.written));
        from.written
    }

    /// What a connection makes of a stream that `read` gives to it: events, and bytes out.
    fn receive(
        self,
        memory: Option<Supplies>,
        read: impl FnOnce(&mut Connection, &mut dyn FnMut(&mut Connection, &mut [u8])),
    ) -> (Vec<Seen>, Vec<u8>) {
        let mut to = self.end(self.role);
        to.connection.set_memory(memory.map(|memory| Arc::new(memory) as Arc<dyn Memory>));
        let now = to.now;
        let mut seen = vec![];
        read(&mut to.connection, &mut |connection, mut input| {
            while let Some(event) = connection.receive(&mut input, now) {
                seen.push(Seen::from(event));
            }
            assert!(input.is_empty(), "input is left over");
        });
        to.take(usize::MAX);
        (put_together(&seen), to.written)
    }
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn wherever_a_stream_is_read_events_and_bytes_are_the_same(
        ends in any_ends(), says in any_says(), damage in vec(any_damage(), 0..2), memory in any_memory(),
        cuts in any_cuts(), shared in select(&[1000, 24 << 10, 128 << 10][..])
    ) {
        let bytes = ends.stream(&says, &damage);
        let whole = ends.receive(None, |connection, receive| receive(connection, &mut bytes.clone()));
        let bytewise = ends.receive(memory, |connection, receive| {
            let (front, back) = bytes.split_at(bytes.len().min(20_000));
            front.iter().for_each(|&byte| receive(connection, &mut [byte]));
            receive(connection, &mut back.to_vec());
        });
        prop_assert!(bytewise == whole, "byte by byte");
        let sizes: Vec<usize> = cuts.0.iter().map(|size| size.max(&100) * 3).collect();
        let most = usize::MAX;
        for sizes in [&[most][..], &sizes] {
            let told = ends.receive(memory, |connection, receive| {
                let (mut buffer, mut left) = (ReadBuffer::new(shared), &bytes[..]);
                for size in sizes.iter().cycle() {
                    if left.is_empty() {
                        break;
                    }
                    let room = connection.read_buffer(&mut buffer);
                    let n = room.len().min(*size).min(left.len());
                    assert!(n > 0);
                    room[..n].copy_from_slice(&left[..n]);
                    left = &left[n..];
                    let input = connection.received(n, &mut buffer);
                    receive(connection, input);
                }
            });
            prop_assert!(told == whole, "where the connection says, in reads of {sizes:?}");
        }
    }
}
