//! The limits that this table does not reach.

use std::path::Path;

/// Limits that this table does not reach, and the tests that cover them: what it is, in which file, which tests.
const ELSEWHERE: &[(&str, &str, &[&str])] = &[
    (
        "1 GiB of input discarded after an error Close",
        "ws-proto/tests/transport.rs",
        &["after_a_fault_input_is_discarded_up_to_a_bound", "how_much_is_discarded_can_be_set"],
    ),
    (
        "16 KiB a minute is progress",
        "ws-proto/tests/deadlines/message_progress.rs",
        &["sixteen_kib_a_minute_is_progress_and_a_byte_less_is_not", "progress_can_be_set"],
    ),
    (
        "1,024 pings that nobody has answered",
        "ws-proto/tests/memory/control_frames.rs",
        &["pings_that_nobody_answers_do_not_add_up"],
    ),
    (
        "a request's head: 16 KiB, 100 headers, a target of 8 KiB",
        "ws-proto/tests/handshake_server/rfc6455_section_10_4.rs",
        &["h17_too_many_headers", "h17_head_too_large", "h18_target_too_long", "limits_can_be_set"],
    ),
    ("a response's head: 16 KiB, 100 headers", "ws-proto/tests/handshake_client/rfc9112.rs", &["limits"]),
    (
        "64 KiB of a rejection's body",
        "ws-proto/tests/handshake_client/rfc6455_section_4_1_response.rs",
        &["k1_the_body_of_a_rejection"],
    ),
    (
        "64 KiB of a rejection's body, from a socket",
        "tests/adapters/answers.rs",
        &["of_an_endless_body_the_first_64_kib_are_kept"],
    ),
    (
        "16 messages in the inbound queue",
        "ws-session/tests/session/pressure/inbound.rs",
        &["with_16_messages_waiting_reading_stops_until_half_are_taken", "the_size_of_the_inbound_queue_can_be_set"],
    ),
    (
        "the high-water mark and the hard cap, as senders see them",
        "ws-session/tests/session/pressure/outgoing.rs",
        &["send_waits_above_the_high_water_mark_and_goes_on_below_it", "try_send_hands_the_message_back_at_the_cap"],
    ),
    (
        "1,024 opening handshakes at a time",
        "tests/adapters/limits.rs",
        &["further_handshakes_wait_for_those_under_way", "handshakes_that_come_together_wait_too"],
    ),
];

/// What is not there yet, and the file that will have come with it: then it belongs into the table, or into
/// [`ELSEWHERE`].
const NOT_YET: &[(&str, &str)] = &[("a hub's subscriber: 256 messages or 1 MiB", "ws-session/src/hub")];

#[test]
fn the_tests_of_the_other_limits_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in a folder");
    for (limit, file, tests) in ELSEWHERE {
        // A package on its own has no neighbours to look into.
        let package = file.split('/').next().expect("a path has a beginning");
        if !root.join(package).join("Cargo.toml").exists() {
            continue;
        }
        let source =
            std::fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{limit}: {file}: {error}"));
        for test in *tests {
            assert!(source.contains(&format!("fn {test}(")), "{limit}: no test {test} in {file}");
        }
    }
    for (limit, path) in NOT_YET {
        let exists = root.join(path).exists() || root.join(format!("{path}.rs")).exists();
        assert!(!exists, "{path} is there: {limit} needs its tests");
    }
}
