//! Log events to standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Writes events of `level` and above to standard error. `RUST_LOG`, when set, decides instead:
/// a level (`debug`), or levels per crate (`ws_tokio=debug,ws=info`).
pub(crate) fn init(level: LevelFilter) {
    let targets = match std::env::var("RUST_LOG") {
        Ok(directives) if !directives.is_empty() => directives.parse().unwrap_or_else(|error| {
            crate::output::warn(format_args!("RUST_LOG is ignored: {error}."));
            Targets::new().with_default(level)
        }),
        _ => Targets::new().with_default(level),
    };
    let events = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()))
        .with_filter(targets);
    tracing_subscriber::registry().with(events).init();
}
