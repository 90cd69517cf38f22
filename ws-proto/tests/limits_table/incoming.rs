//! The limits on what comes in: messages, frames, fragments.

use ws_proto::{Config, Limits, Violation};

use super::rows::*;
use super::*;
use crate::common::*;

#[test]
fn the_message_limit() {
    assert_eq!(Limits::default().message, Some(MIB));
    for setting in [0, 1, 2, 125, 126, 65_536].map(Setting::To) {
        assert_eq!(row(Limit::Message, setting), (6 + 2 * COMPRESSED) * 2 * 8, "{setting:?}");
    }
    assert_eq!(row(Limit::Message, Setting::Default), (6 + 2 * COMPRESSED) * 2 * 4);
    assert_eq!(row(Limit::Message, Setting::Off), (6 + 2 * COMPRESSED) * 4);
}

#[test]
fn the_frame_limit() {
    assert_eq!(Limits::default().frame, Some(MIB));
    for setting in [0, 1, 2, 125, 126, 65_536].map(Setting::To) {
        assert_eq!(row(Limit::Frame, setting), (5 + COMPRESSED) * 2 * 8, "{setting:?}");
    }
    assert_eq!(row(Limit::Frame, Setting::Default), (5 + COMPRESSED) * 2 * 4);
    assert_eq!(row(Limit::Frame, Setting::Off), (5 + COMPRESSED) * 4);
}

#[test]
fn the_fragment_limit() {
    assert_eq!(Limits::default().fragments, Some(16_384));
    for setting in [1, 2, 3, 100].map(Setting::To) {
        assert_eq!(row(Limit::Fragments, setting), (1 + (4 + COMPRESSED) * 2) * 8, "{setting:?}");
    }
    assert_eq!(row(Limit::Fragments, Setting::Default), (1 + (4 + COMPRESSED) * 2) * 4);
    assert_eq!(row(Limit::Fragments, Setting::Off), (5 + COMPRESSED) * 4);
}

#[test]
fn a_limit_of_no_fragments_is_a_limit_of_one() {
    for role in ROLES {
        for delivery in DELIVERIES {
            let config = Limit::Fragments.config(Setting::To(0), delivery);
            let mut end = End::new(role, &config);
            end.read_frame(TEXT, "whole");
            end.assert_open();
            end.read_frame(TEXT_BEGINS, "begins");
            end.assert_open();
            end.read(header_to(role, LAST, 0));
            end.assert_violated(1009, Violation::TooManyFragments { limit: 0 });
        }
    }
}

/// Where both have the same limit, a frame over it is said to be one; a message over it in frames that are not is.
#[test]
fn both_size_limits_at_their_defaults() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.read(header_to(role, BINARY, MIB as u64 + 1));
        end.assert_violated(1009, Violation::FrameTooBig { limit: MIB });

        let mut end = End::new(role, &Config::default());
        end.read_frame(BINARY_BEGINS, vec![0; MIB]);
        end.assert_open();
        end.read(header_to(role, LAST, 1));
        end.assert_violated(1009, Violation::MessageTooBig { limit: MIB });
    }
}

#[test]
fn without_limits_a_frame_may_be_as_long_as_a_header_can_say() {
    let config = config(|config| {
        config.limits.message = None;
        config.limits.frame = None;
        config.limits.fragments = None;
    });
    for role in ROLES {
        for first in [TEXT, BINARY, TEXT_BEGINS, BINARY_BEGINS] {
            let mut end = End::new(role, &config);
            end.read(header_to(role, first, (1 << 63) - 1));
            // Its first letters.
            let header = header_to(role, BINARY, 1000).len();
            end.read(&to(role, BINARY, [b'x'; 1000])[header..]);
            end.assert_open();
        }
    }
}
