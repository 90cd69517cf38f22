//! Clients that run a handler: what it sent has arrived, and the connection is closed, when `run` returns.

use ws_test_support::nobody::Nobody;

use super::setup::*;

#[test]
fn all_is_sent_and_closed_with_1000_when_the_handler_is_done() {
    let (handler, told) = telling();
    let server = start(Server::new(), handler);
    let url = server.url("/");
    block_on(Client::run(&url, |ws| async move {
        for n in 0..1000 {
            ws.send(n.to_string()).await?;
        }
        Ok(())
    }))
    .unwrap();
    let (messages, end) = hear(&told);
    end.unwrap();
    assert!(
        messages
            .iter()
            .map(|message| message.as_text().unwrap())
            .eq((0..1000).map(|n| n.to_string()).collect::<Vec<_>>().iter())
    );
    server.stop();
}

#[test]
fn a_client_with_other_settings_runs_a_handler_too() {
    let server = start(Server::new().subprotocols(["chat"]), echo);
    let client = server.client().subprotocols(["chat"]);
    block_on(Client::run(client, |mut ws| async move {
        assert_eq!(ws.subprotocol(), Some("chat"));
        ws.send("hello").await?;
        assert_eq!(ws.recv().await?, Some(Message::from("hello")));
        Ok(())
    }))
    .unwrap();
    server.stop();
}

#[test]
fn a_handler_that_fails_closes_with_1011() {
    let (handler, told) = telling();
    let server = start(Server::new(), handler);
    let url = server.url("/");
    let failed = block_on(Client::run(&url, |ws| async move {
        ws.send("before").await?;
        Err("no more".into())
    }));
    assert!(matches!(&failed, Err(RunError::Handler(HandlerError::Failed(_)))));
    assert_eq!(failed.unwrap_err().to_string(), "no more");
    let panicked = block_on(Client::run(&url, |ws| async move {
        ws.send("before").await.unwrap();
        panic!("at once")
    }));
    assert!(matches!(panicked, Err(RunError::Handler(HandlerError::Panicked(said))) if said == "at once"));
    for _ in 0..2 {
        let (messages, end) = hear(&told);
        assert_eq!(messages, [Message::from("before")]);
        assert_eq!(outcome(&end.unwrap_err()).code(), CloseCode::INTERNAL_ERROR);
    }
    server.stop();
}

#[test]
fn a_failed_connection_runs_no_handler() {
    let nobody = Nobody::new();
    let mut called = false;
    let refused = block_on(Client::run(format!("ws://{}/", nobody.address()), |_| {
        called = true;
        async { Ok(()) }
    }));
    assert!(matches!(refused, Err(RunError::Connect(_))));
    assert!(!called);
}

#[test]
fn a_server_that_is_gone_before_the_end_is_told_of_although_the_handler_is_content() {
    let server = Script::new(|mut peer| {
        peer.accept(b"");
    });
    let ended = block_on(Client::run(server.url(), |mut ws| async move {
        assert!(ws.recv().await.is_err());
        Ok(())
    }));
    assert!(matches!(ended, Err(RunError::Closed(_))), "{ended:?}");
    server.done();
}

#[test]
fn a_handler_returns_nothing() {
    let (tell, told) = telling();
    let server = start(Server::new(), tell);
    block_on(Client::run(server.url("/"), handler(|ws| async move { ws.send("all").await.unwrap() }))).unwrap();
    let (messages, end) = hear(&told);
    end.unwrap();
    assert_eq!(messages, [Message::from("all")]);
    server.stop();
}

#[test]
fn a_server_that_lets_go_after_our_close_has_all() {
    let server = Script::new(|mut peer| {
        peer.accept(b"");
        let message = peer.frame().1;
        (message, peer.close_frame())
    });
    block_on(Client::run(server.url(), |ws| async move { Ok(ws.send("all").await?) })).unwrap();
    assert_eq!(server.done(), (b"all".to_vec(), (1000, String::new())));
}
