//! Programs that are run as processes, because they end, are stopped, or lack file descriptors.

#[cfg(all(feature = "socket-activation", unix))]
mod activated;
mod descriptors;
mod leaving;
mod stopped;
