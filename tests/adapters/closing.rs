//! How connections end as they should, and by whom: a handshake of Close frames, a handler, a handle that is dropped.

use super::setup::*;

#[test]
fn a_clients_close_is_known_at_both_ends() {
    let (handler, told) = telling();
    let server = start(Server::new(), handler);
    for (code, reason, is_normal) in
        [(1000, "done", true), (1001, "", true), (1005, "", true), (1011, "oops", false), (4321, "ünïcode", false)]
    {
        let ws = server.connect();
        let ours = block_on(ws.close(code, reason)).unwrap();
        assert!(ours.is_clean(), "{ours}");
        assert_eq!(ours.cause, Cause::Local);
        assert_eq!(ours.sent, Some(CloseFrame::new(code.into(), reason)));
        assert_eq!(u16::from(ours.code()), code, "the answer repeats the code");
        match hear(&told).1 {
            Ok(()) => assert!(is_normal, "{code}"),
            Err(error) => {
                assert!(!is_normal, "{code}: {error}");
                assert_eq!((u16::from(outcome(&error).code()), outcome(&error).reason()), (code, reason));
                assert_eq!(outcome(&error).cause, Cause::Peer);
                assert!(error.closed().unwrap().io_error().is_none());
            }
        }
    }
    server.stop();
}

#[test]
fn a_servers_close_is_known_at_both_ends() {
    for (code, reason, is_normal) in [(1000, "done", true), (4000, "kicked", false)] {
        let (server, mut client) = both_ends(Server::new(), Client::new("ws://test/"));
        let sender = server.sender();
        let closing = spawn(async move { sender.close(code, reason).await });
        match block_on(client.recv()) {
            Ok(message) => assert!(message.is_none() && is_normal, "{code}: {message:?}"),
            Err(error) => assert!(!is_normal, "{code}: {error}"),
        }
        let theirs = block_on(client.closed());
        assert_eq!((u16::from(theirs.code()), theirs.reason(), &theirs.cause), (code, reason, &Cause::Peer));
        assert_eq!(block_on(closing).unwrap().cause, Cause::Local);
    }
}

#[test]
fn messages_come_before_the_end() {
    let (handler, told) = telling();
    let server = start(Server::new(), handler);
    let ws = server.connect();
    send(&ws, "last words");
    close(ws);
    let (messages, end) = hear(&told);
    assert_eq!(messages, [Message::from("last words")]);
    end.unwrap();
    server.stop();
}

#[test]
fn the_outcome_is_returned_again() {
    let server = start(Server::new(), drain);
    for (code, is_normal) in [(1000, true), (4000, false)] {
        let mut ws = server.connect();
        let outcome = block_on(ws.close(code, "")).unwrap();
        assert_eq!(block_on(ws.recv()).is_ok(), is_normal);
        assert_eq!(block_on(ws.recv()).is_ok(), is_normal);
        assert_eq!(block_on(ws.close(4001, "again")).unwrap(), outcome, "the first close counts");
        assert!(matches!(block_on(ws.send("too late")), Err(Error::Closed(_))));
    }
    server.stop();
}

#[test]
fn codes_that_must_not_be_sent_change_nothing() {
    let server = start(Server::new(), echo);
    let mut ws = server.connect();
    for code in [0, 999, 1004, 1006, 1015, 2999, 5000, 65_535] {
        let refused = block_on(ws.close(code, "")).unwrap_err();
        assert!(matches!(refused, Error::CloseCode(refused) if refused == code), "{refused}");
    }
    send(&ws, "still open");
    assert_eq!(text(&mut ws), "still open");
    close(ws);
    server.stop();
}

#[test]
fn a_long_reason_is_cut_at_a_character() {
    let (ws, mut peer) = accepted(Server::new());
    drop(ws.close(4000, &"é".repeat(100)));
    assert_eq!(peer.close_frame(), (4000, "é".repeat(61)));
}

#[test]
fn the_server_closes_tcp_first() {
    let server = start(Server::new(), drain);
    let mut peer = server.upgraded();
    peer.write(masked_close(1000, "bye"));
    assert_eq!(peer.close_frame(), (1000, String::new()));
    assert_eq!(peer.rest(), b"", "the end, without ours");
    drop(peer);
    until(|| server.handle.connections() == 0);
    server.stop();
}

#[test]
fn the_server_closes_tcp_first_when_it_closed_too() {
    let server = start(Server::new(), |_ws| async { Ok(()) });
    let mut peer = server.upgraded();
    assert_eq!(peer.close_frame(), (1000, String::new()));
    peer.write(masked_close(1000, ""));
    assert_eq!(peer.rest(), b"", "the end, without ours");
    drop(peer);
    until(|| server.handle.connections() == 0);
    server.stop();
}

#[test]
fn a_client_does_not_wait_for_the_server_to_end_tcp() {
    let never = config(|config| config.deadlines.close = NEVER);
    let (ws, mut peer) = connected(Client::new("ws://test/").config(never));
    let closing = ws.close(CloseCode::NORMAL, "");
    assert_eq!(peer.close_frame(), (1000, String::new()));
    peer.write(frame(0x88, close_body(1000, ""), None));
    assert!(block_on(closing).unwrap().is_clean());
    assert_eq!(peer.rest(), b"", "the end, without the server's");
}

#[test]
fn a_client_ends_its_side_when_its_close_is_not_answered() {
    let soon = || {
        config(|config| {
            config.deadlines.close = NEVER;
            config.deadlines.half_close = SOON;
        })
    };
    let (ws, mut peer) = connected(Client::new("ws://test/").config(soon()));
    let closing = ws.close(CloseCode::NORMAL, "");
    assert_eq!(peer.close_frame(), (1000, String::new()));
    assert_eq!(peer.rest(), b"", "the end");
    peer.write(frame(0x88, close_body(1000, ""), None));
    assert!(block_on(closing).unwrap().is_clean());

    let (ws, mut peer) = connected(Client::new("ws://test/").config(soon()));
    let closing = ws.close(CloseCode::NORMAL, "");
    assert_eq!(peer.close_frame(), (1000, String::new()));
    assert_eq!(peer.rest(), b"", "the end");
    drop(peer);
    let outcome = block_on(closing).unwrap();
    assert_eq!(outcome.cause, Cause::Unanswered);
    assert!(!outcome.is_clean(), "{outcome}");
}

#[test]
fn a_handlers_end_is_the_connections() {
    let server = start(Server::new(), |mut ws| async move {
        match ws.recv().await?.as_ref().and_then(Message::as_text) {
            Some("ok") => Ok(()),
            Some("error") => Err("it failed on purpose".into()),
            Some("panic") => panic!("it panics on purpose"),
            other => Err(format!("{other:?}").into()),
        }
    });
    for (message, code, reason) in
        [("ok", 1000, ""), ("error", 1011, "internal error"), ("panic", 1011, "internal error")]
    {
        let mut ws = server.connect();
        send(&ws, message);
        assert_eq!(ending(&mut ws), (code, reason.to_owned()), "{message}");
    }
    close(server.connect());
    server.stop();
}

#[test]
fn messages_of_a_handler_go_out_before_its_close() {
    let server = start(Server::new(), |ws| async move {
        for n in 0..10_u8 {
            ws.send(vec![n; 50_000]).await?;
        }
        Ok(())
    });
    let mut ws = server.connect();
    for n in 0..10 {
        assert_eq!(recv(&mut ws), Message::from(vec![n; 50_000]));
    }
    assert_eq!(ending(&mut ws), (1000, String::new()));
    server.stop();
}

#[test]
fn a_dropped_client_says_going_away() {
    let (ws, mut peer) = connected(Client::new("ws://test/"));
    send(&ws, "before");
    drop(ws);
    assert_eq!(peer.frame(), (0x81, b"before".to_vec()));
    assert_eq!(peer.close_frame(), (1001, String::new()));
}

#[test]
fn a_dropped_client_is_a_normal_end_for_the_handler() {
    let (handler, told) = telling();
    let server = start(Server::new(), handler);
    drop(server.connect());
    hear(&told).1.unwrap();
    server.stop();
}

#[test]
fn a_dropped_handle_of_accept_says_going_away() {
    let (ws, mut peer) = accepted(Server::new());
    drop(ws);
    assert_eq!(peer.close_frame(), (1001, String::new()));
}

#[test]
fn when_both_close_at_once() {
    let (ws, mut peer) = accepted(Server::new());
    let closing = ws.close(4001, "server");
    // Its Close is no answer to ours, which it has not read.
    peer.write(masked_close(4002, "client"));
    assert_eq!(peer.close_frame(), (4001, "server".to_owned()));
    peer.finish();
    let outcome = block_on(closing).unwrap();
    assert_eq!((u16::from(outcome.code()), outcome.reason()), (4002, "client"));
    assert_eq!(outcome.sent, Some(CloseFrame::new(4001.into(), "server")));
    assert!(outcome.is_clean());
}

#[test]
fn messages_still_come_in_while_we_close() {
    let (mut ws, mut peer) = accepted(Server::new());
    drop(ws.close(CloseCode::NORMAL, ""));
    assert_eq!(peer.close_frame(), (1000, String::new()));
    assert!(block_on(ws.send("not after our Close")).is_err());
    peer.write([masked(0x81, "one"), masked(0x81, "two"), masked_close(1000, "")].concat());
    assert_eq!(text(&mut ws), "one");
    assert_eq!(text(&mut ws), "two");
    assert_eq!(block_on(ws.recv()).unwrap(), None);
}

#[test]
fn a_close_is_not_held_up_by_messages_that_nobody_takes() {
    let endless = config(|config| config.deadlines.close = NEVER);
    let (ws, mut peer) = accepted(Server::new().config(endless).inbound_queue(2));
    // More than the inbound queue holds, before the answer to our Close.
    peer.write(masked(0x81, "unasked").repeat(10));
    settle();
    let sender = ws.sender();
    let ending = spawn(async move { ws.closed().await });
    drop(sender.close(CloseCode::NORMAL, ""));
    assert_eq!(peer.close_frame().0, 1000);
    peer.write(masked_close(1000, ""));
    peer.finish();
    assert!(block_on(ending).is_clean());
}

#[test]
fn a_peer_that_closes_waits_for_no_handler_that_only_sends() {
    let patient = config(|config| config.deadlines.answer = NEVER);
    let (ws, mut peer) = accepted(Server::new().config(patient));
    send(&ws, "pushed");
    assert_eq!(peer.frame(), (0x81, b"pushed".to_vec()));
    let ending = spawn(async move { ws.closed().await });
    peer.write(masked_close(1000, ""));
    // Nothing came that could still be answered.
    assert_eq!(peer.close_frame(), (1000, String::new()));
    peer.finish();
    assert!(block_on(ending).is_clean());
}

#[test]
fn messages_not_taken_while_waiting_for_the_end_are_reported() {
    let (mut ws, mut peer) = accepted(Server::new().inbound_queue(4));
    (0..10_u8).for_each(|n| peer.write(masked(0x82, [n])));
    assert!(for_a_while(ws.closed()).is_none());
    // Back from waiting: what comes is either complete, or an error says that it is not.
    let mut came = Vec::new();
    while came.len() < 10 {
        match block_on(ws.recv()) {
            Ok(message) => came.push(message.expect("the connection is open").as_bytes()[0]),
            Err(error) => {
                assert!(matches!(error, Error::Skipped), "{error}");
                break;
            }
        }
    }
    assert_eq!(came, (0..came.len() as u8).collect::<Vec<_>>());
}

// ---- closing handshakes that are not finished ----

fn impatient() -> Config {
    config(|config| config.deadlines.close = LATER)
}

#[test]
fn a_peer_that_never_answers_our_close() {
    let (ws, mut peer) = accepted(Server::new().config(impatient()));
    let error = block_on(ws.close(CloseCode::NORMAL, "")).unwrap_err();
    assert_eq!(outcome(&error).cause, Cause::CloseTimeout);
    assert_eq!(outcome(&error).code(), CloseCode::ABNORMAL);
    assert_eq!(peer.close_frame(), (1000, String::new()));
    assert_eq!(peer.rest(), b"");
}

#[test]
fn a_server_that_never_ends_tcp() {
    let (ws, mut peer) = connected(Client::new("ws://test/").config(impatient()));
    let closing = ws.close(CloseCode::NORMAL, "");
    assert_eq!(peer.close_frame(), (1000, String::new()));
    peer.write(frame(0x88, close_body(1000, ""), None));
    assert!(block_on(closing).unwrap().is_clean(), "both Close frames were there");
    assert_eq!(peer.rest(), b"");
}

#[test]
fn a_close_is_no_success_when_not_all_was_written() {
    let (mut ws, mut peer) = accepted(Server::new());
    send(&ws, pattern(16 * MIB));
    peer.write(masked_close(1000, ""));
    assert_eq!(block_on(ws.recv()).unwrap(), None);
    // It leaves without having read our answer, nor what was before it.
    drop(peer);
    let error = block_on(ws.close(CloseCode::NORMAL, "")).unwrap_err();
    assert_eq!(outcome(&error).received, Some(CloseFrame::new(CloseCode::NORMAL, "")), "{error}");
    assert!(block_on(ws.flush()).is_err());
}
