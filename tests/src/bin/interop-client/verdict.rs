//! The result of a check.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use tokio::time::timeout;

use crate::servers::Servers;

pub(crate) struct Run {
    pub(crate) servers: Servers,
    pub(crate) failures: u32,
}

impl Run {
    pub(crate) async fn check(&mut self, name: &str, body: impl Future<Output = Result<(), Failure>>) {
        if self.servers.0.get("checks").is_some_and(|wanted| !wanted.split('|').any(|wanted| wanted == name)) {
            return;
        }
        let verdict = timeout(Duration::from_secs(30), body).await;
        match verdict.unwrap_or_else(|_| Err(Failure("nothing for 30 s".to_owned()))) {
            Ok(()) => println!("ok\t{name}"),
            Err(Failure(why)) => {
                self.failures += 1;
                println!("fail\t{name}\t{}", why.split_whitespace().collect::<Vec<_>>().join(" "));
            }
        }
    }
}

/// Why a check failed.
pub(crate) struct Failure(pub(crate) String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut why = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            why += &format!(": {cause}");
            source = cause.source();
        }
        Self(why)
    }
}

pub(crate) fn same<T: Debug + PartialEq<U>, U: Debug>(actual: T, expected: U) -> Result<(), Failure> {
    ensure(actual == expected, || format!("got {}, expected {}", brief(&actual), brief(&expected)))
}

pub(crate) fn ensure(condition: bool, why: impl FnOnce() -> String) -> Result<(), Failure> {
    if condition { Ok(()) } else { Err(Failure(why())) }
}

fn brief(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
