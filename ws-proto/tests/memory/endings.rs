//! The memory that is left when a connection has ended.

use std::sync::Arc;

use ws_proto::Config;

use crate::common::*;
use crate::measuring::*;
use crate::*;

checks![the_end_lets_go_of_everything];

/// What is left when a connection has ended: the reasons of the Close frames, 123 bytes each.
pub(crate) const REASONS: usize = 512;

/// A way for a connection to end.
struct Ending {
    what: &'static str,
    end: fn(&mut Subject),
}

fn the_end_lets_go_of_everything() {
    let endings = [
        Ending {
            what: "a Close",
            end: |subject| subject.read(&to(subject.connection.role(), CLOSE, close_body(1000, [b'r'; 123]))),
        },
        Ending { what: "an invalid opcode", end: |subject| subject.read(&[0x83]) },
        Ending {
            what: "a header over the limit",
            end: |subject| {
                subject.read(&header_to(subject.connection.role(), CONTINUES, 1 << 40));
            },
        },
        Ending { what: "an end of the transport", end: |subject| drop(subject.connection.receive_eof(subject.now)) },
        Ending { what: "a failure of the transport", end: |subject| drop(subject.connection.fail()) },
        Ending { what: "an abort", end: |subject| drop(subject.connection.abort()) },
        Ending {
            what: "silence",
            end: |subject| {
                subject.now = at(61);
                subject.connection.handle_timeout(subject.now);
            },
        },
        Ending {
            what: "a Close of ours, and its answer",
            end: |subject| {
                subject.connection.close(close_frame(1000, &"r".repeat(123)), subject.now).unwrap();
                let role = subject.connection.role();
                subject.read(&to(role, LAST, "more"));
                subject.read(&to(role, CLOSE, close_body(1000, "")));
            },
        },
        Ending {
            what: "a Close whose answer waits for the application",
            end: |subject| {
                subject.connection.hooks().set_hold_close(true);
                subject.read(&to(subject.connection.role(), CLOSE, close_body(1000, "")));
                assert!(subject.connection.hooks().is_close_held());
                assert!(subject.held() <= REASONS, "what came before is delivered or dropped by now");
                subject.connection.hooks().release_close(subject.now);
            },
        },
    ];
    for config in [Arc::new(Config::default()), Arc::new(chunks())] {
        for role in ROLES {
            let after = to(role, BINARY, vec![7; MIB]);
            for Ending { what, end } in &endings {
                for is_text in [true, false] {
                    let mut subject = Subject::new(role, &config);
                    // Half a message, a ping to be answered, a ping to be waited for.
                    subject.connection.ping(subject.now).unwrap();
                    subject.take(usize::MAX);
                    subject.read(&to(role, if is_text { TEXT_BEGINS } else { BINARY_BEGINS }, vec![b'x'; 100_000]));
                    subject.read(&to(role, PING, [b'p'; 125]));
                    subject.settle();
                    end(&mut subject);
                    subject.take(usize::MAX);
                    subject.settle();
                    assert!(subject.held() <= REASONS, "{role:?}, {what}: {:?}", subject.connection);
                    // What comes after it is thrown away.
                    subject.read(&after[..MIB / 2]);
                    subject.read(&after[MIB / 2..]);
                    subject.read(&to(role, TEXT_BEGINS, vec![b'x'; 100_000]));
                    subject.settle();
                    assert!(subject.held() <= REASONS, "{role:?}, {what}, then more: {:?}", subject.connection);
                    assert!(!subject.connection.is_open());
                }
            }
        }
    }
}
