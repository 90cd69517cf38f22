//! The rules of the hub, while its broker fails.

use ws_hub::conformance::storm;

/// As many seeds as the environment variable `SEEDS` says, or the one in `SEED`.
fn seeds(n: u64) -> impl Iterator<Item = u64> {
    let variable = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    match variable("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..variable("SEEDS").unwrap_or(n),
    }
}

#[test]
fn no_gap_is_silent_and_no_publication_is_doubled() {
    let mut seen = (0, 0, 0, 0);
    for seed in seeds(20) {
        let outcome = storm(seed).unwrap_or_else(|violation| panic!("SEED={seed}: {violation}"));
        seen.0 += outcome.gaps;
        seen.1 += outcome.recovered.1;
        seen.2 += outcome.unrecoverable;
        seen.3 += outcome.delivered;
    }
    assert!(seen.0 > 0 && seen.1 > 0 && seen.2 > 0 && seen.3 > 0);
}
