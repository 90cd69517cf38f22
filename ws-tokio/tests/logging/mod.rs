//! Log events: opened, closed and rejected connections at INFO, messages at DEBUG, failures of handlers at ERROR.

mod connections;
mod handlers;
mod traffic;

use std::cell::RefCell;
use std::fmt::{Debug, Write as _};
use std::sync::Once;

use crate::common::*;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context as LayerContext, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

thread_local! {
    /// What this test traced: with a runtime of one thread, all its tasks run where the test does.
    static TRACED: RefCell<Vec<Traced>> = const { RefCell::new(Vec::new()) };
}

#[derive(Clone, Debug)]
struct Traced {
    level: Level,
    /// The message, then ` name=value` for each field.
    line: String,
    /// The names of the spans it was in.
    spans: Vec<&'static str>,
}

/// Writes what this thread traces into `TRACED`.
struct Capture;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Capture {
    fn on_event(&self, event: &Event<'_>, context: LayerContext<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        let spans = context.event_scope(event).into_iter().flatten().map(|span| span.name()).collect();
        let traced = Traced { level: *event.metadata().level(), line: line.message + &line.fields, spans };
        let target = event.metadata().target();
        assert!(!target.starts_with("ws_") || target == "ws_tokio", "every event has the same target, not {target}");
        if target == "ws_tokio" || target.starts_with(module_path!()) {
            TRACED.with_borrow_mut(|all| all.push(traced));
        }
    }
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Registry::default().with(Capture)).unwrap());
}

fn traced(level: Level) -> Vec<String> {
    TRACED.with_borrow(|all| all.iter().filter(|event| event.level == level).map(|event| event.line.clone()).collect())
}

/// The one line of that level that holds `part`.
fn line(level: Level, part: &str) -> String {
    let lines: Vec<_> = traced(level).into_iter().filter(|line| line.contains(part)).collect();
    assert_eq!(lines.len(), 1, "lines with {part:?} at {level} among {:#?}", TRACED.with_borrow(Clone::clone));
    lines.into_iter().next().unwrap()
}

async fn wait_for(level: Level, part: &str) -> String {
    until(|| traced(level).iter().any(|line| line.contains(part))).await;
    line(level, part)
}
