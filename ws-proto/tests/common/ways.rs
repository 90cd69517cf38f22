//! Each case, in every way it can come.

use ws_proto::{Config, Role};

use super::*;

/// Says which case it was, when a check fails.
struct Case(String);

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("case: {}", self.0);
        }
    }
}

/// The ways to cut `input`: not at all, into bytes, and, when it is short, in two at every place.
pub(crate) fn ways(input: &[u8]) -> Vec<(String, Vec<&[u8]>)> {
    let mut ways = vec![("whole".into(), vec![input]), ("byte by byte".into(), input.chunks(1).collect())];
    if input.len() <= 80 {
        for at in 1..input.len() {
            let (front, back) = input.split_at(at);
            ways.push((format!("split at {at}"), vec![front, back]));
        }
    }
    ways
}

/// Runs `check` on an end of `role` that has read `input`, in every way it can come.
#[track_caller]
pub(crate) fn each_way(role: Role, config: &Config, input: &[u8], check: impl Fn(&mut End)) {
    for (way, pieces) in ways(input) {
        let head = &input[..input.len().min(40)];
        let _case = Case(format!("{role:?}, {way}: {} bytes, {head:02x?}", input.len()));
        let mut end = End::new(role, config);
        for piece in pieces {
            end.read(piece);
        }
        check(&mut end);
    }
}

/// [`each_way`] for both roles, with default limits and deadlines.
#[track_caller]
pub(crate) fn each_role(input: impl Fn(Role) -> Vec<u8>, check: impl Fn(&mut End)) {
    for role in ROLES {
        each_way(role, &Config::default(), &input(role), &check);
    }
}

/// How many bytes of `input`, one read each, it takes until the connection is closed.
pub(crate) fn bytes_until_closed(role: Role, config: &Config, input: &[u8]) -> Option<usize> {
    let mut end = End::new(role, config);
    for (i, byte) in input.iter().enumerate() {
        end.read([*byte]);
        if end.outcome().is_some() {
            return Some(i + 1);
        }
    }
    None
}
