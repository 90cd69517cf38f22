//! Log events to standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::Identity;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry};

/// Writes events of `level` and above to standard error. `RUST_LOG`, when set, decides instead:
/// a level (`debug`), or levels per crate (`ws_tokio=debug,ws=info`).
pub(crate) fn init(level: LevelFilter) {
    init_with(level, None::<Identity>);
}

/// Like [`init`], with an additional layer.
pub(crate) fn init_with(level: LevelFilter, layer: Option<impl Layer<Registry> + Send + Sync>) {
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
    tracing_subscriber::registry().with(layer).with(events).init();
}
