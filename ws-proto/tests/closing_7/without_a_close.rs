//! The transport ends without a Close (RFC 6455 §7.1.5: 1006).

use ws_proto::{Cause, CloseCode, Config};

use super::outcome;
use crate::common::*;

#[test]
fn f24_eof_without_a_close_means_1006() {
    each_role(
        |role| to(role, TEXT, "whole"),
        |end| {
            end.eof();
            assert_eq!(end.seen, [text("whole"), outcome(None, None, Cause::Eof)]);
            let outcome = end.outcome().unwrap();
            assert_eq!((outcome.code(), outcome.reason()), (CloseCode::ABNORMAL, ""));
            assert!(!outcome.is_clean());
            assert_eq!(end.written, []);
            end.assert_over();
        },
    );
}

#[test]
fn f24_eof_inside_a_frame_means_1006_and_drops_the_partial_message() {
    for role in ROLES {
        let partial = [
            to(role, TEXT, "partial"),
            to(role, BINARY, [7; 200]),
            to(role, PING, "partial"),
            to(role, CLOSE, close_body(1000, "partial")),
            all_to(role, &[(TEXT_BEGINS, b"a"), (PONG, b""), (LAST, b"b")]),
        ];
        for partial in partial {
            for config in [Config::default(), chunks()] {
                for len in 1..partial.len() {
                    let mut end = End::new(role, &config);
                    end.read_frame(TEXT, "whole");
                    end.read(&partial[..len]);
                    end.eof();
                    assert_eq!(end.seen.last(), Some(&outcome(None, None, Cause::Eof)), "{partial:02x?} cut to {len}");
                    let delivered = |event: &Seen| matches!(event, Seen::Text(_) | Seen::Binary(_) | Seen::Ping(_));
                    assert_eq!(
                        end.seen.iter().filter(|event| delivered(event)).count(),
                        match config.delivery {
                            ws_proto::Delivery::Messages => 1,
                            _ => 0,
                        }
                    );
                    end.assert_over();
                }
            }
        }
    }
}

#[test]
fn f24_eof_after_our_close_but_before_the_peers_means_1006() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.close(1000, "bye");
        end.read_frame(TEXT, "still");
        end.eof();
        assert_eq!(end.seen, [text("still"), outcome(Some((1000, "bye")), None, Cause::Unanswered)]);
        let outcome = end.outcome().unwrap();
        assert_eq!(outcome.code(), CloseCode::ABNORMAL);
        assert!(!outcome.is_clean() && !outcome.is_normal());
        end.assert_over();
    }
}

#[test]
fn an_end_before_all_of_our_close_was_written_is_no_answer_to_it() {
    for role in ROLES {
        let size = from(role, CLOSE, close_body(1000, "bye")).len();
        for written in 0..size {
            let mut end = End::new(role, &Config::default());
            end.writable = false;
            end.close(1000, "bye");
            end.take(written);
            assert!(!end.connection.awaits_close());
            end.eof();
            assert_eq!(end.seen, [outcome(None, None, Cause::Eof)]);
            end.assert_over();
        }
    }
}

#[test]
fn an_end_after_our_close_is_its_own_kind_whenever_it_comes() {
    for role in ROLES {
        for after in [0, 1, 2, 5, 9] {
            let mut end = End::new(role, &Config::default());
            end.close(1000, "bye");
            assert!(end.connection.awaits_close());
            end.wait(secs(after));
            end.read(&to(role, CLOSE, close_body(1000, "cut off"))[..4]);
            end.eof();
            assert_eq!(end.seen, [outcome(Some((1000, "bye")), None, Cause::Unanswered)]);
            end.assert_over();
        }
    }
}

#[test]
fn a_failed_transport_means_1006_with_complete_messages_delivered() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.read(all_to(role, &[(TEXT, b"whole"), (TEXT_BEGINS, b"part")]));
        end.fail();
        assert_eq!(end.seen, [text("whole"), outcome(None, None, Cause::TransportFailed)]);
        end.assert_over();
    }
}

#[test]
fn an_aborted_connection_writes_nothing_more() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.writable = false;
        end.connection.send("queued".into()).unwrap();
        end.abort();
        end.writable = true;
        end.settle();
        assert_eq!(end.seen, [outcome(None, None, Cause::Aborted)]);
        assert_eq!(end.written, []);
        end.assert_over();
    }
}
