//! Two connections back to back, over a link that has a latency, a rate and pieces of some size, on one virtual clock.

mod conversations;
mod endings;
mod messages;
