//! How many bytes are allocated, counted by the allocator.

use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Runs `f`; what it returns, and how many bytes more are allocated after it than before.
pub fn held<T>(f: impl FnOnce() -> T) -> (T, isize) {
    let before = ALLOCATOR.current_usage();
    let value = f();
    (value, ALLOCATOR.current_usage().wrapping_sub(before) as isize)
}
