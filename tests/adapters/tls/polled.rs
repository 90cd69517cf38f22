//! Connections without a task of their own, over TLS.

use super::super::setup::*;
use super::pki::*;

#[test]
fn a_polled_client_speaks_tls() {
    let (server, authority) = secure_server();
    let server = start(server, echo);
    let client = secure_client(&server, &authority);
    block_on(async {
        let mut ws = client.connect_stream().await.unwrap();
        assert!(ws.get_ref().is_tls() && ws.get_ref().tcp().is_none());
        for len in [0, 1, 16 * KIB, 300 * KIB] {
            ws.send(pattern(len)).await.unwrap();
            assert!(ws.recv().await.unwrap() == Some(pattern(len).into()), "{len}");
        }
        for _ in 0..3_000 {
            ws.feed("before the first answer").await.unwrap();
        }
        for _ in 0..3_000 {
            assert!(ws.recv().await.unwrap().is_some());
        }
        assert!(ws.close(1000, "").await.unwrap().is_clean());
    });
    server.stop();
}

#[test]
fn a_polled_client_that_is_dropped_says_so() {
    let (server, authority) = secure_server();
    let (handler, told) = telling();
    let server = start(server, handler);
    let client = secure_client(&server, &authority);
    block_on(async {
        let mut ws = client.connect_stream().await.unwrap();
        ws.feed("last words").await.unwrap();
    });
    let (messages, end) = hear(&told);
    assert_eq!(messages, ["last words"].map(Message::from));
    end.unwrap();
    server.stop();
}
