//! Messages and the closing handshake over TLS.

use futures_util::future::try_join;

use super::super::setup::*;
use super::pki::*;

#[test]
fn messages_come_back_as_they_were() {
    let (server, authority) = secure_server();
    let server = start(server, echo);
    let mut ws = block_on(secure_client(&server, &authority).connect()).unwrap();
    // Around what a frame's header, a TLS record and rustls's own queue hold.
    for len in [0, 1, 125, 126, 16 * KIB - 1, 16 * KIB, 16 * KIB + 1, 64 * KIB, 300 * KIB] {
        send(&ws, pattern(len));
        assert!(recv(&mut ws) == Message::from(pattern(len)), "{len}");
    }
    send(&ws, "text");
    assert_eq!(text(&mut ws), "text");
    close(ws);
    server.stop();
}

#[test]
fn big_messages_go_both_ways_at_once() {
    const SIZE: usize = 16 * MIB;

    async fn exchange(ws: &mut WebSocket, ours: u64, theirs: u64) {
        let sender = ws.sender();
        let ((), received) = try_join(sender.send(Random(ours).bytes(SIZE)), ws.recv()).await.unwrap();
        assert!(received == Some(Random(theirs).bytes(SIZE).into()));
    }

    let (server, authority) = secure_server();
    let server = start(server.config(roomy(SIZE)), |mut ws| async move {
        exchange(&mut ws, 1, 2).await;
        assert_eq!(ws.recv().await?, None);
        Ok(())
    });
    let mut ws = block_on(secure_client(&server, &authority).config(roomy(SIZE)).connect()).unwrap();
    block_on(exchange(&mut ws, 2, 1));
    close(ws);
    server.stop();
}

#[test]
fn sends_and_receives_that_are_given_up_lose_nothing() {
    const MESSAGES: usize = 300;
    let (server, authority) = secure_server();
    let server = start(server, echo);
    let mut ws = block_on(secure_client(&server, &authority).connect()).unwrap();
    let mut random = Random(7);
    let sender = ws.sender();
    let sending = spawn(async move {
        for n in 0..MESSAGES {
            sender.send(pattern(n * 97 % 20_000)).await.unwrap();
        }
    });
    for n in 0..MESSAGES {
        let received = block_on(async {
            loop {
                if let Some(received) = cut_off(ws.recv(), random.below(4)).await {
                    break received;
                }
            }
        });
        assert!(received.unwrap() == Some(pattern(n * 97 % 20_000).into()), "{n}");
    }
    block_on(sending);
    close(ws);
    server.stop();
}

#[test]
fn pages_are_served_over_https() {
    let (server, authority) = secure_server();
    let page = vec![b'x'; 200 * KIB];
    let body = page.clone();
    let server = start(server.on_request(move |_| Some(http::Response::new(body.clone().into()))), echo);
    let mut browser = TlsPeer::client(server.address, client_config(&authority, VERSIONS[0]));
    browser.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let reply = browser.rest();
    assert!(reply.starts_with(b"HTTP/1.1 200 OK\r\n") && reply.ends_with(&page));
    drop(browser);
    server.stop();
}
