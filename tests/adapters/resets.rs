//! Peers that reset TCP, behind a Close frame and without one. Neither is waited for.

use super::setup::*;

/// A peer that says its last words, closes and lets go of its socket while we still send: its system resets TCP.
fn says_goodbye_and_goes((mut ws, mut peer): (WebSocket, Peer), goodbye: Vec<u8>) -> Result<Option<Message>, Error> {
    let sender = ws.sender();
    let sending = spawn(async move {
        while sender.send("to nobody").await.is_ok() {
            yield_now().await;
        }
    });
    assert_eq!(peer.frame().0, 0x81);
    settle();
    peer.write(goodbye);
    drop(peer);
    assert_eq!(text(&mut ws), "last words");
    block_on(sending);
    block_on(ws.recv())
}

#[test]
fn a_normal_close_before_a_reset_is_a_normal_end_whoever_finds_out_first() {
    for _ in 0..10 {
        let goodbye = [masked(0x81, "last words"), masked_close(1000, "done")].concat();
        assert_eq!(says_goodbye_and_goes(accepted(Server::new()), goodbye).unwrap(), None);
        let goodbye = [frame(0x81, "last words", None), frame(0x88, close_body(1000, "done"), None)].concat();
        assert_eq!(says_goodbye_and_goes(connected(Client::new("ws://test/")), goodbye).unwrap(), None);
    }
}

#[test]
fn a_server_does_not_count_a_connection_that_was_reset_behind_messages() {
    // The closing handshake has no end in this test: nobody may wait for it.
    let server = start(Server::new().config(config(|config| config.deadlines.close = NEVER)), echo);
    for count in [1, 17, 400, 400, 400] {
        let mut peer = server.upgraded();
        peer.write(masked(0x81, "the last words").repeat(count));
        peer.reset();
        until(|| server.handle.connections() == 0);
    }
    server.stop();
}
