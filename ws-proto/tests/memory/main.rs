//! The heap memory of a connection, counted by the allocator. For any input it is at most its limits and 64 KiB at every
//! moment, and nothing while nothing is in progress.
//!
//! There are two counts of the same allocations. In the first a buffer that grows stays one buffer: this is what a
//! connection asks for, and what the limits are about. In the second growing is copying, the old buffer and the new one
//! side by side for a moment, as with an allocator that never grows a block in place. A message that is put together
//! is in one piece, so that moment can cost as much again: the second count stays within twice the limit.
//!
//! Everything runs on one thread without the usual harness, which would allocate beside it; the checks, and the figures
//! they measured, are printed. Arguments select checks by a part of their name.

#[path = "../common/mod.rs"]
mod common;

/// Checks and their names.
type Checks = &'static [(&'static str, fn())];

/// The checks of a module.
macro_rules! checks {
    ($($name:ident),+ $(,)?) => {
        pub(crate) const CHECKS: crate::Checks = &[$((stringify!($name), $name)),+];
    };
}

mod anything;
#[cfg(feature = "deflate")]
mod compression;
mod control_frames;
mod endings;
mod idle;
mod measuring;
mod messages;
mod sending;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// In the order in which they run.
const CHECKS: &[Checks] = &[
    idle::CHECKS,
    messages::CHECKS,
    control_frames::CHECKS,
    sending::CHECKS,
    endings::CHECKS,
    anything::CHECKS,
    #[cfg(feature = "deflate")]
    compression::CHECKS,
];

fn main() {
    let checks: Vec<_> = CHECKS.iter().copied().flatten().collect();
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let (mut passed, mut failed) = (0, vec![]);
    for &&(name, check) in &checks {
        if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        println!("check {name}");
        match std::panic::catch_unwind(check) {
            Ok(()) => passed += 1,
            Err(_) => failed.push(name),
        }
    }
    let filtered = checks.len() - passed - failed.len();
    let result = if failed.is_empty() { "ok" } else { "FAILED" };
    println!("\ntest result: {result}. {passed} passed; {} failed {failed:?}; {filtered} filtered out", failed.len());
    std::process::exit(i32::from(!failed.is_empty()));
}
