//! Randomness that a seed decides.

pub(crate) use ws_test_support::random::Random as Rng;

/// The seeds of a test with random schedules: so many, or as many as the environment variable `SEEDS` says, or the one
/// in `SEED`.
pub(crate) fn seeds(n: u64) -> impl Iterator<Item = u64> {
    let variable = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    match variable("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..variable("SEEDS").unwrap_or(n),
    }
}
