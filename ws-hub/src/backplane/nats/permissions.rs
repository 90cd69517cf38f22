//! [`Permissions`]: what the server has refused on a connection, and what it is known to allow.
//!
//! A server answers a publication or a subscription only if it refuses it, and the client library tells that on another way than
//! it delivers messages. So what may be refused is accepted after a second echo: the refusal was sent before the first.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::inbox::{Doubt, Sent};
use crate::backplane::Refusal;

#[derive(Default)]
pub(super) struct Permissions {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    publications: Denied,
    subscriptions: Denied,
    /// Subjects on which this connection has published.
    allowed: HashSet<String>,
}

type Denied = HashSet<String>;

/// Subjects that are remembered at most. If there are more, all are forgotten.
const REMEMBERED: usize = 16_384;

/// Whether this connection may publish on a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum May {
    Yes,
    No,
    /// Nothing was published there yet.
    Unknown,
}

impl Permissions {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn may_publish(&self, subject: &str) -> May {
        let state = self.lock();
        if state.publications.contains(subject) {
            May::No
        } else if state.allowed.contains(subject) {
            May::Yes
        } else {
            May::Unknown
        }
    }

    pub(super) fn deny_publication(&self, subject: &str) {
        let mut state = self.lock();
        state.allowed.remove(subject);
        insert(&mut state.publications, subject);
    }

    pub(super) fn deny_subscription(&self, subject: &str) {
        insert(&mut self.lock().subscriptions, subject);
    }

    /// It is asked for again.
    pub(super) fn forget_subscription(&self, subject: &str) {
        self.lock().subscriptions.remove(subject);
    }

    /// An echo has come back. Tells those that need no other one, and returns those that do.
    pub(super) fn settle(&self, sent: Vec<Sent>) -> Vec<Sent> {
        sent.into_iter().filter_map(|sent| self.settle_one(sent)).collect()
    }

    fn settle_one(&self, sent: Sent) -> Option<Sent> {
        let Sent { done, doubt } = sent;
        let Some(Doubt { subject, is_subscription, is_second }) = doubt else {
            done.tell(None);
            return None;
        };
        let mut state = self.lock();
        let denied = if is_subscription { &state.subscriptions } else { &state.publications };
        if denied.contains(&subject) {
            drop(state);
            done.tell(Some(refusal(&subject, is_subscription)));
            return None;
        }
        if !is_second {
            drop(state);
            return Some(Sent { done, doubt: Some(Doubt { subject, is_subscription, is_second: true }) });
        }
        if !is_subscription {
            insert(&mut state.allowed, &subject);
        }
        drop(state);
        done.tell(None);
        None
    }
}

fn insert(subjects: &mut HashSet<String>, subject: &str) {
    if subjects.len() >= REMEMBERED {
        subjects.clear();
    }
    subjects.insert(subject.to_owned());
}

pub(super) fn refusal(subject: &str, is_subscription: bool) -> Refusal {
    let what = if is_subscription { "subscribe to" } else { "publish on" };
    Refusal::Broker(format!("no permission to {what} {subject}"))
}

#[cfg(test)]
mod tests {
    use super::super::inbox::Done;
    use super::*;

    type Result = tokio::sync::oneshot::Receiver<Option<Refusal>>;

    fn sent(subject: &str, is_subscription: bool) -> (Vec<Sent>, Result) {
        let (done, result) = Done::new();
        let doubt = Some(Doubt { subject: subject.to_owned(), is_subscription, is_second: false });
        (vec![Sent { done, doubt }], result)
    }

    #[test]
    fn a_refusal_that_is_heard_after_the_first_echo_counts() {
        for is_subscription in [false, true] {
            let permissions = Permissions::default();
            let (first, mut result) = sent("a", is_subscription);
            let waiting = permissions.settle(first);
            assert!(result.try_recv().is_err(), "it waits for another echo");
            match is_subscription {
                false => permissions.deny_publication("a"),
                true => permissions.deny_subscription("a"),
            }
            assert!(permissions.settle(waiting).is_empty());
            assert_eq!(result.try_recv(), Ok(Some(refusal("a", is_subscription))));
            // Only what was refused.
            let (other, mut result) = sent("a", !is_subscription);
            assert!(permissions.settle(permissions.settle(other)).is_empty());
            assert_eq!(result.try_recv(), Ok(None));
        }
    }

    #[test]
    fn a_subject_is_known_after_the_second_echo_until_it_is_refused() {
        let permissions = Permissions::default();
        let (first, mut result) = sent("a", false);
        let waiting = permissions.settle(first);
        assert_eq!(permissions.may_publish("a"), May::Unknown);
        assert!(permissions.settle(waiting).is_empty());
        assert_eq!((result.try_recv(), permissions.may_publish("a")), (Ok(None), May::Yes));
        permissions.deny_publication("a");
        assert_eq!(permissions.may_publish("a"), May::No);
    }

    #[test]
    fn a_subscription_that_is_asked_for_again_is_not_refused_because_of_the_last_time() {
        let permissions = Permissions::default();
        permissions.deny_subscription("a");
        permissions.forget_subscription("a");
        let (first, mut result) = sent("a", true);
        permissions.settle(permissions.settle(first));
        assert_eq!(result.try_recv(), Ok(None));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let permissions = Permissions::default();
        for number in 0..3 * REMEMBERED {
            permissions.deny_publication(&number.to_string());
        }
        assert!(permissions.lock().publications.len() <= REMEMBERED);
    }
}
