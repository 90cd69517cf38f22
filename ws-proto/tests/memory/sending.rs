//! The memory of the outgoing queue.

use crate::common::*;
use crate::measuring::*;
use crate::*;

checks![unwritten_output_stays_below_the_cap];

/// Who sends without looking, to somebody who reads nothing or little: an echo, for one.
fn unwritten_output_stays_below_the_cap() {
    let mut most = [0, 0];
    for (high_water, hard_cap) in [(64 * KIB, MIB + 64 * KIB), (0, 256 * KIB), (MIB, MIB)] {
        let config = shared(|config| {
            config.limits.high_water = high_water;
            config.limits.hard_cap = hard_cap;
        });
        for role in ROLES {
            for len in [0, 1, 16, 100, 125, 1000, 1300, 4095, 4096, 5000, 20_000, 33_000, 60_000, 100_000, MIB] {
                // Above the high-water mark a message must fit below the cap; below it a whole one may go over.
                let cap = hard_cap.max(high_water + len);
                let input = to(role, BINARY, vec![7; len]);
                for taken in [0, 1, 5000] {
                    let mut subject = Subject::new(role, &config);
                    subject.echoes = true;
                    for _ in 0..(2 * cap / (len + 2)).min(3000) + 4 {
                        subject.read(&input);
                        subject.take(taken);
                        subject.settle();
                    }
                    most[0] = most[0].max(subject.meter.peak().saturating_sub(cap + 2 * len));
                    most[1] = most[1].max(subject.meter.peak_copying().saturating_sub(cap + 2 * len));
                    // A message half-way out is still there as a whole, and so is one that is being copied in.
                    let what = format_args!("{role:?}, messages of {len} bytes, {taken} taken, cap {hard_cap}");
                    subject.assert_within(cap + 2 * len, 0, what);
                    subject.take(usize::MAX);
                    subject.assert_holds_nothing("after writing");
                }
            }
        }
    }
    println!("  at most {} bytes over the cap and two messages; {} while copying", most[0], most[1]);
}
