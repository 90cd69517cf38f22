//! Programs that are run as processes, because they end, are stopped, or lack file descriptors.

mod descriptors;
mod leaving;
mod stopped;
