//! Single messages in chunks (`Hooks::stream_message`), and long messages that wait for that choice (`Event::Held`).

use crate::common::*;
use ws_proto::MessageKind::{self, Binary, Text};
use ws_proto::{Cause, Config, Connection, Event, Role, Violation};

/// The choice of an application when a message has begun or is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Stream,
    Assemble,
    /// None is made.
    Wait,
}

/// An application that may choose chunks, and keeps input that is left.
struct Chooser {
    connection: Connection,
    choice: Choice,
    unread: Vec<u8>,
    /// The messages that were announced or held.
    asked: Vec<(&'static str, MessageKind)>,
    seen: Vec<Seen>,
}

impl Chooser {
    fn new(role: Role, config: Config, choice: Choice) -> Self {
        let connection = End::new(role, &config).connection;
        Self { connection, choice, unread: vec![], asked: vec![], seen: vec![] }
    }

    fn choose(&mut self) {
        match self.choice {
            Choice::Stream => {
                let begun = self.connection.hooks().stream_message().expect("it is incomplete");
                assert!(begun.first && !begun.last);
                self.seen.push(Event::Chunk(begun).into());
            }
            Choice::Assemble => self.connection.hooks().assemble_held(),
            Choice::Wait => {}
        }
    }

    /// Reads `bytes`, `step` of them at a time.
    fn read(&mut self, bytes: &[u8], step: usize) -> &mut Self {
        for piece in bytes.chunks(step) {
            let mut buffer = [&self.unread, piece].concat();
            let mut input = &mut buffer[..];
            while let Some(event) = self.connection.receive(&mut input, at(0)) {
                match event {
                    Event::Begun(kind) => self.asked.push(("begun", kind)),
                    Event::Held(kind) => self.asked.push(("held", kind)),
                    event => {
                        self.seen.push(event.into());
                        continue;
                    }
                }
                self.choose();
            }
            assert!(input.is_empty() || self.connection.hooks().is_message_held());
            self.unread = input.to_vec();
        }
        self
    }

    /// The messages, whole or put together. The first chunk may be empty, because it only begins the message.
    fn messages(&self) -> Vec<Seen> {
        let is_said = |seen: &&Seen| !matches!(seen, Seen::Chunk { payload, last: false, .. } if payload.is_empty());
        let mut seen: Vec<_> = self.seen.iter().filter(is_said).cloned().collect();
        let mut is_between = true;
        for seen in &mut seen {
            if let Seen::Chunk { first, last, .. } = seen {
                *first = is_between;
                is_between = *last;
            }
        }
        put_together(&seen)
    }

    fn violation(&self) -> Option<Violation> {
        match self.seen.last() {
            Some(Seen::Closed(outcome)) => match outcome.cause {
                Cause::Violation(violation) => Some(violation),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Whole messages of up to 10 bytes, and chunks of messages up to `streamed`.
fn limits(streamed: Option<usize>) -> Config {
    config(|config| {
        (config.limits.message, config.limits.frame) = (Some(10), Some(10));
        config.limits.streamed = streamed;
    })
}

#[test]
fn a_message_that_is_arriving_is_had_in_chunks_and_its_beginning_at_once() {
    for role in ROLES {
        let bytes = all_to(role, &[(TEXT_BEGINS, "κό".as_bytes()), (PING, b"p"), (LAST, "σμε".as_bytes())]);
        let behind = all_to(role, &[(TEXT, b"next")]);
        for step in [1, 3, 100] {
            for taken in 0..bytes.len() {
                let mut all = Chooser::new(role, Config::default(), Choice::Wait);
                all.read(&bytes[..taken], step);
                let begun = all.connection.hooks().stream_message();
                assert!(begun.is_none() || all.connection.hooks().stream_message().is_none(), "once");
                all.seen.extend(begun.map(|begun| Event::Chunk(begun).into()));
                all.read(&bytes[taken..], step).read(&behind, step);
                let mut messages = all.messages();
                messages.retain(|seen| *seen != ping("p"));
                assert_eq!(messages, [text("κόσμε"), text("next")], "{role:?}, {step}, {taken}");
                assert_eq!(all.seen.last(), Some(&text("next")), "the message behind it is whole");
            }
        }
    }
}

#[test]
fn a_message_that_does_not_come_at_once_is_announced() {
    for role in ROLES {
        let mut end = Chooser::new(role, Config::default(), Choice::Stream);
        end.connection.hooks().set_announce(true);
        end.read(&all_to(role, &[(TEXT, b"whole")]), 100);
        assert_eq!((end.asked.len(), end.seen.as_slice()), (0, &[text("whole")][..]));
        let bytes = all_to(role, &[(BINARY, &[7; 300])]);
        end.read(&bytes[..100], 100);
        assert_eq!(end.asked, [("begun", Binary)]);
        end.read(&bytes[100..], 100);
        assert_eq!(end.messages(), [text("whole"), binary([7; 300])]);
        end.connection.hooks().set_announce(false);
        end.read(&bytes, 100);
        assert_eq!((end.asked.len(), end.seen.last()), (1, Some(&binary([7; 300]))));
    }
}

#[test]
fn a_long_message_waits_for_the_choice_and_then_comes_in_chunks() {
    for role in ROLES {
        let one = all_to(role, &[(BINARY, &[7; 300]), (TEXT, b"next")]);
        let four = [7; 10];
        let some = all_to(role, &[(TEXT_BEGINS, b"ab"), (CONTINUES, &[b'c'; 9]), (LAST, b"d"), (TEXT, b"next")]);
        let in_fragments = all_to(role, &[(BINARY_BEGINS, &four), (CONTINUES, &four), (LAST, &four), (TEXT, b"next")]);
        for (bytes, kind, whole) in [
            (one, Binary, binary([7; 300])),
            (some, Text, text("abcccccccccd")),
            (in_fragments, Binary, binary([7; 30])),
        ] {
            for step in [1, 5, 1000] {
                for streamed in [Some(300), None] {
                    let mut end = Chooser::new(role, limits(streamed), Choice::Wait);
                    end.read(&bytes, step);
                    assert_eq!(end.asked, [("held", kind)], "{role:?}, {step}");
                    assert_eq!(end.seen, [], "nothing is handled behind it");
                    end.choice = Choice::Stream;
                    end.choose();
                    end.read(&[0; 0], 1);
                    let rest = std::mem::take(&mut end.unread);
                    end.read(&rest, step);
                    assert_eq!(end.messages(), [whole.clone(), text("next")], "{role:?}, {step}");
                }
            }
        }
    }
}

#[test]
fn a_long_message_that_is_not_wanted_in_chunks_is_refused() {
    for role in ROLES {
        for step in [1, 1000] {
            for (bytes, violation) in [
                (all_to(role, &[(BINARY, &[7; 11])]), Violation::FrameTooBig { limit: 10 }),
                (all_to(role, &[(BINARY_BEGINS, &[7; 9]), (LAST, &[7; 2])]), Violation::MessageTooBig { limit: 10 }),
            ] {
                let mut end = Chooser::new(role, limits(Some(100)), Choice::Assemble);
                end.read(&bytes, step);
                assert_eq!((end.violation(), end.asked.len()), (Some(violation), 1), "{role:?}, {step}");
            }
        }
    }
}

#[test]
fn the_limit_of_streamed_messages_is_their_own() {
    for role in ROLES {
        for step in [1, 1000] {
            let longer = Violation::StreamTooBig { limit: 20 };
            for (frames, violation) in [
                (&[(BINARY, &[7; 20][..])][..], None),
                (&[(BINARY, &[7; 21][..])], Some(longer)),
                (&[(BINARY_BEGINS, &[7; 12]), (LAST, &[7; 8])], None),
                (&[(BINARY_BEGINS, &[7; 12]), (LAST, &[7; 9])], Some(longer)),
                (&[(BINARY_BEGINS, &[7; 2]), (LAST, &[7; 19])], Some(longer)),
            ] {
                let mut end = Chooser::new(role, limits(Some(20)), Choice::Stream);
                end.read(&all_to(role, frames), step);
                assert_eq!(end.violation(), violation, "{role:?}, {step}, {frames:?}");
            }
            // A limit below that of whole messages has no effect, so that no message is refused only because it is streamed.
            for streamed in [0, 5, 10] {
                let bytes = all_to(role, &[(BINARY_BEGINS, &[7; 8]), (LAST, &[7; 2])]);
                let mut end = Chooser::new(role, limits(Some(streamed)), Choice::Stream);
                end.connection.hooks().set_announce(true);
                end.read(&bytes, step);
                assert_eq!(end.messages(), [binary([7; 10])], "{role:?}, {step}, {streamed}");
            }
        }
        let mut end = Chooser::new(role, limits(Some(0)), Choice::Stream);
        end.read(&all_to(role, &[(BINARY, &[7; 11])]), 100);
        assert_eq!((end.violation(), end.asked.len()), (Some(Violation::FrameTooBig { limit: 10 }), 0));
    }
}

#[test]
fn fragments_of_a_streamed_message_are_limited_by_their_average_length() {
    for role in ROLES {
        let config = config(|config| {
            config.limits.fragments = Some(3);
            config.limits.streamed = None;
        });
        let kib = [7; 1024];
        let begin = |config: &Config| {
            let mut end = Chooser::new(role, config.clone(), Choice::Wait);
            end.read(&all_to(role, &[(BINARY_BEGINS, &kib)]), 10_000);
            end.choice = Choice::Stream;
            end.choose();
            end
        };
        let mut end = begin(&config);
        end.read(&all_to(role, &[(CONTINUES, &kib[..])].repeat(100)), 10_000);
        assert_eq!(end.violation(), None);
        let mut end = begin(&config);
        end.read(&all_to(role, &[(CONTINUES, b"".as_slice()); 3]), 10_000);
        assert_eq!(end.violation(), None, "3, and one for the KiB");
        end.read(&all_to(role, &[(CONTINUES, b"".as_slice())]), 10_000);
        assert_eq!(end.violation(), Some(Violation::TooManyFragments { limit: 3 }));
    }
}

#[test]
fn text_is_checked_across_the_choice() {
    for role in ROLES {
        for step in [1, 100] {
            let mut end = Chooser::new(role, Config::default(), Choice::Wait);
            end.read(&all_to(role, &[(TEXT_BEGINS, &[b'a', 0xE2, 0x82])]), step);
            let begun = end.connection.hooks().stream_message().unwrap();
            assert_eq!(begun.payload[..], [b'a', 0xE2, 0x82], "the incomplete character is part of it");
            end.read(&all_to(role, &[(LAST, &[0x41])]), step);
            assert_eq!(end.violation(), Some(Violation::InvalidUtf8));
        }
    }
}

#[test]
fn a_streamed_message_is_not_held_to_the_progress_of_whole_ones_between_its_frames() {
    for role in ROLES {
        let mut end = End::new(role, &deadlines(|config| config.deadlines.message_progress = Some(secs(60))));
        end.read(all_to(role, &[(TEXT_BEGINS, b"a")]));
        assert!(end.connection.poll_timeout(at(0)).is_some());
        end.connection.hooks().stream_message().unwrap();
        assert_eq!(end.connection.poll_timeout(at(0)), None, "a slow source may take its time");
    }
}

#[cfg(feature = "deflate")]
mod compressed {
    use ws_proto::permessage_deflate::{Deflate, DeflateParams};
    use ws_test_support::deflate;

    use super::*;

    const DEFLATED: u8 = BINARY | 0x40;

    /// The byte 7 so many times, compressed.
    fn sevens(n: usize) -> Vec<u8> {
        deflate::alone(&vec![7; n])
    }

    fn end(role: Role, limit: usize, streamed: Option<usize>, choice: Choice) -> Chooser {
        let config = config(|config| {
            (config.limits.message, config.limits.frame) = (Some(limit), Some(limit));
            config.limits.streamed = streamed;
        });
        let mut end = Chooser::new(role, config, choice);
        end.connection.set_deflate(Some(DeflateParams::new(Deflate::client())));
        end
    }

    #[test]
    fn an_inflating_message_is_held_before_it_exceeds_the_limit() {
        const KIB: usize = 1 << 10;
        for role in ROLES {
            let bytes = all_to(role, &[(DEFLATED, &sevens(200 * KIB)), (TEXT, b"next")]);
            for step in [1, 7, 10_000] {
                let mut streamed = end(role, 64 * KIB, None, Choice::Stream);
                streamed.read(&bytes, step);
                assert_eq!(streamed.asked, [("held", Binary)], "{role:?}, {step}");
                assert_eq!(streamed.messages(), [binary(vec![7; 200 * KIB]), text("next")]);
                let mut refused = end(role, 64 * KIB, None, Choice::Assemble);
                refused.read(&bytes, step);
                assert!(matches!(refused.violation(), Some(Violation::FrameTooBig { .. })), "{role:?}, {step}");
                let mut longer = end(role, 64 * KIB, Some(100 * KIB), Choice::Stream);
                longer.read(&bytes, step);
                assert_eq!(longer.violation(), Some(Violation::StreamTooBig { limit: 100 * KIB }), "{role:?}, {step}");
                // Held although it fits: then it is assembled, and so is the next one.
                let mut fits = end(role, 200 * KIB, None, Choice::Assemble);
                fits.read(&bytes, step).read(&bytes, step);
                let both = [binary(vec![7; 200 * KIB]), text("next")];
                let both = [&both[..], &both].concat();
                assert_eq!((fits.seen == both, fits.asked.len()), (true, 2), "{role:?}, {step}");
            }
        }
    }

    #[test]
    fn fragments_are_counted_against_the_inflated_size() {
        for role in ROLES {
            let config = config(|config| {
                config.limits.fragments = Some(3);
                config.limits.streamed = None;
            });
            let mut chunks = Chooser::new(role, config, Choice::Wait);
            chunks.connection.set_deflate(Some(DeflateParams::new(Deflate::client())));
            // A few bytes on the wire, 100 KiB inflated.
            let payload = sevens(100 << 10);
            chunks.read(&all_to(role, &[(0x42, &payload)]), 10_000);
            chunks.choice = Choice::Stream;
            chunks.choose();
            chunks.read(&all_to(role, &[(CONTINUES, b"".as_slice()); 50]), 10_000);
            assert_eq!(chunks.violation(), None);
            chunks.read(&all_to(role, &[(CONTINUES, b"".as_slice()); 60]), 10_000);
            assert_eq!(chunks.violation(), Some(Violation::TooManyFragments { limit: 3 }));
        }
    }

    #[test]
    fn an_announced_compressed_message_comes_in_chunks() {
        for role in ROLES {
            let bytes = all_to(role, &[(DEFLATED, &sevens(100_000)), (TEXT, b"next")]);
            for step in [1, 13, 10_000] {
                let mut chunks = end(role, 1 << 20, Some(0), Choice::Stream);
                chunks.connection.hooks().set_announce(true);
                chunks.read(&bytes, step);
                assert_eq!(chunks.messages(), [binary(vec![7; 100_000]), text("next")], "{role:?}, {step}");
            }
        }
    }
}

#[test]
fn a_first_fragment_may_be_empty() {
    for role in ROLES {
        for choice in [Choice::Stream, Choice::Wait] {
            for rest in ["", "abc"] {
                let input = [to(role, BINARY_BEGINS, ""), to(role, CONTINUES, ""), to(role, LAST, rest)].concat();
                for step in [1, 3, input.len()] {
                    let mut chooser = Chooser::new(role, Config::default(), choice);
                    chooser.connection.hooks().set_announce(true);
                    chooser.read(&input, step);
                    assert_eq!(chooser.violation(), None);
                    assert_eq!(chooser.asked, [("begun", Binary)], "{role:?} {choice:?} {step}");
                    assert_eq!(chooser.messages(), [binary(rest)], "{role:?} {choice:?} {step}");
                }
            }
        }
    }
}
