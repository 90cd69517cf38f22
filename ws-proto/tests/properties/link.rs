//! Two ends and a link: what both say when it is over, and whether they agree.

use proptest::prelude::*;
use ws_proto::Cause;

use super::made_up::*;
use super::stories::*;
use super::world::*;
use crate::common::*;

proptest! {
    #![proptest_config(cases(800))]

    #[test]
    fn over_a_link_that_may_die_both_ends_end_and_agree_as_far_as_they_can(story in any_story()) {
        let mut world = World::new(&story);
        world.run(&story);
        world.assert_ended();
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn over_a_good_link_both_ends_are_clean_and_say_the_same(story in any_good_story()) {
        let mut world = World::new(&story);
        world.run(&story);
        world.assert_ended();

        let [server, client] = [SERVER, CLIENT].map(|i| world.pair.outcome(i));
        prop_assert!(server.is_clean() && client.is_clean());
        prop_assert!(server.received == client.sent && client.received == server.sent);
        for i in [SERVER, CLIENT] {
            // Who closed said what the story has it say; who did not sent the code back, without the reason.
            let (outcome, other) = (world.pair.outcome(i), world.pair.outcome(1 - i));
            let act = story.acts.iter().find_map(|(_, who, act)| match act {
                Act::Close { code, reason } if *who == i => Some((*code, reason)),
                _ => None,
            });
            let sent = outcome.sent.as_ref().unwrap();
            match (&outcome.cause, act) {
                (Cause::Local, Some((1005, _))) => prop_assert!(sent.is_empty()),
                (Cause::Local, Some((code, reason))) => prop_assert_eq!(sent, &close_frame(code, reason)),
                (Cause::Peer, _) => {
                    prop_assert_eq!((sent.code, &*sent.reason), (other.sent.as_ref().unwrap().code, ""));
                }
                cause => prop_assert!(false, "{cause:?}"),
            }
        }
    }
}
