//! Programs that are run as processes, because they end, or are stopped.

mod leaving;
mod stopped;
