//! The client's address behind reverse proxies. `ws-session` tests the meaning of the headers with a table.

use std::net::IpAddr;
use std::sync::mpsc;

use super::setup::*;

#[test]
fn only_a_trusted_proxy_tells_who_the_client_is() {
    for (trusted, client) in [
        (&["10.0.0.0/8", "127.0.0.0/8"][..], "203.0.113.9"),
        (&["10.0.0.0/8", "unix:"], "127.0.0.1"),
        (&[], "127.0.0.1"),
    ] {
        let (tell, told) = mpsc::channel();
        let asked = tell.clone();
        let server = Server::new().trusted_proxies(trusted).on_request(move |request| {
            asked.send(request.extensions().get().map(|&ClientIp(client)| client)).unwrap();
            None
        });
        let server = start(server, move |ws| {
            tell.send(ws.client_ip()).unwrap();
            drain(ws)
        });
        let mut peer = server.peer();
        peer.write(request("/", &["X-Forwarded-For: 6.6.6.6, 203.0.113.9", "X-Real-IP: 6.6.6.6"]));
        peer.head();
        let client: IpAddr = client.parse().unwrap();
        assert_eq!([hear(&told), hear(&told)], [Some(client); 2], "with {trusted:?} trusted");
        drop(peer);
        server.stop();
    }
}
