//! Random numbers that nobody can predict: masking keys and nonces.

use std::cell::RefCell;
use std::time::Duration;

use chacha20::ChaCha12Rng;
use chacha20::rand_core::{Rng as _, SeedableRng as _};
use getrandom::SysRng;

thread_local! {
    /// ChaCha with 12 rounds, as in `rand`. The system seeds it when the thread first needs it.
    ///
    /// It is not `rand::rng()`, which panics once a thread that ends has dropped its generator. A connection may be dropped
    /// after that, by the destructor of another thread-local, and masks its Close frame.
    static GENERATOR: RefCell<Option<ChaCha12Rng>> = const { RefCell::new(None) };
}

/// A masking key (RFC 6455 §5.3, §10.3).
pub(crate) fn masking_key() -> [u8; 4] {
    let drawn = GENERATOR.try_with(|generator| generator.borrow_mut().get_or_insert_with(seeded).next_u32());
    // The thread ends, and has dropped its generator.
    drawn.unwrap_or_else(|_| seeded().next_u32()).to_ne_bytes()
}

/// A nonce for the opening handshake (RFC 6455 §4.1).
pub(crate) fn nonce() -> [u8; 16] {
    let mut nonce = [0; 16];
    for word in nonce.chunks_exact_mut(4) {
        word.copy_from_slice(&masking_key());
    }
    nonce
}

/// A duration between zero and `bound`, to the nanosecond. Beyond 500 years, it is at most that.
pub(crate) fn up_to(bound: Duration) -> Duration {
    let nanoseconds = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
    let [a, b, c, d] = masking_key();
    let [e, f, g, h] = masking_key();
    let random = u64::from_ne_bytes([a, b, c, d, e, f, g, h]);
    // The upper half of the product is uniform between zero and the bound.
    let product = u128::from(random) * (u128::from(nanoseconds) + 1);
    Duration::from_nanos(u64::try_from(product >> 64).unwrap_or(nanoseconds))
}

#[cold]
fn seeded() -> ChaCha12Rng {
    ChaCha12Rng::try_from_rng(&mut SysRng).expect("the system has random numbers")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use super::*;

    #[test]
    fn threads_have_keys_of_their_own() {
        let keys = || thread::spawn(|| (0..1000).map(|_| nonce()).collect::<Vec<_>>()).join().unwrap();
        let (one, other) = (keys(), keys());
        assert_eq!(one.iter().chain(&other).collect::<HashSet<_>>().len(), 2000);
    }
}
