//! Connecting again over real sockets. `ws-session` tests when and how often, in virtual time.

use std::ops::ControlFlow;
use std::time::Duration;

use super::setup::*;

/// Delays that no test notices.
fn hasty(client: Client) -> Reconnect<impl Runtime> {
    client.reconnect().backoff(Duration::from_millis(1), Duration::from_millis(5))
}

/// Starts a server anew at an address that another one has left.
fn restart(address: std::net::SocketAddr) -> Running {
    let mut listening = None;
    until(|| {
        listening = block_on(Server::new().bind(address)).ok();
        listening.is_some()
    });
    let listening = listening.unwrap();
    Running::of(listening, echo)
}

#[test]
fn a_client_survives_the_restart_of_its_server() {
    let first = start(Server::new(), echo);
    let address = first.address;
    let mut connections = hasty(first.client());
    let mut ws = block_on(connections.next()).unwrap().unwrap();
    send(&ws, "one");
    assert_eq!(text(&mut ws), "one");
    first.stop();
    assert_eq!(ending(&mut ws).0, 1001);

    let failed = block_on(connections.next()).unwrap().unwrap_err();
    assert_eq!(failed.error().io_error().unwrap().kind(), std::io::ErrorKind::ConnectionRefused);
    assert!(failed.retry_in().is_some());
    let second = restart(address);
    let mut ws = loop {
        match block_on(connections.next()).unwrap() {
            Ok(ws) => break ws,
            Err(failed) => assert!(failed.retry_in().is_some(), "{failed}"),
        }
    };
    send(&ws, "two");
    assert_eq!(text(&mut ws), "two");
    close(ws);
    let mut ws = block_on(connections.next_stream()).unwrap().unwrap();
    block_on(async {
        ws.send("three").await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::from("three")));
        ws.close(1000, "").await.unwrap();
    });
    second.stop();
}

#[test]
fn a_handler_subscribes_anew_in_a_task_of_its_own() {
    // The server closes after each message.
    let server = start(Server::new(), |mut ws: WebSocket| async move {
        let message = ws.recv().await?.ok_or("a message")?;
        ws.send(message).await?;
        Ok(())
    });
    let mut count = 0;
    let running = spawn(hasty(server.client()).run(move |mut ws| {
        count += 1;
        let subscription = count.to_string();
        async move {
            ws.send(subscription.clone()).await?;
            assert_eq!(ws.recv().await?, Some(Message::from(subscription.clone())));
            match &*subscription {
                "3" => Ok(ControlFlow::Break(subscription)),
                // The end of the connection, as an error.
                _ => loop {
                    ws.recv().await?;
                    ws.send("on").await?;
                },
            }
        }
    }));
    assert_eq!(block_on(running).unwrap(), "3");
    server.stop();
}
