//! `ping` from several threads.

use ws_session::CloseCode;

use crate::explore::explore;
use crate::setup::{Endpoint, Setup, receive_all};
use crate::tasks::{Running, join_all, spawn};

#[test]
fn every_ping_is_answered() {
    explore(|| {
        let (mut server, mut client, _) = Setup::new().narrow().pair();
        let drivers = [spawn(server.driver), spawn(client.driver)];
        let [first, second, third] = [(); 3].map(|()| server.socket.sender());
        let pings = [first, second].map(|sender| spawn(async move { sender.ping().await.unwrap() }));
        let sending = spawn(async move {
            // Above the high-water mark a ping has to wait.
            for n in 0..3 {
                third.send(format!("{n} filling")).await.unwrap();
            }
        });
        let closer = server.socket.sender();
        let receivers = [
            spawn(async move { receive_all(&mut server.socket).await }),
            spawn(async move { receive_all(&mut client.socket).await }),
        ];
        let _times = pings.map(Running::join);
        sending.join();
        spawn(async move { closer.close(CloseCode::NORMAL, "").await.unwrap() }).join();
        let [to_server, to_client] = receivers.map(|receiver| receiver.join());
        assert_eq!((to_server.0.len(), to_client.0.len()), (0, 3));
        join_all(drivers);
    });
}

#[test]
fn a_ping_ends_with_its_connection() {
    explore(|| {
        let (Endpoint { mut socket, driver, .. }, mut peer, _) = Setup::new().with_peer();
        let driver = spawn(driver);
        let pings = [socket.sender(), socket.sender()].map(|sender| spawn(async move { sender.ping().await.is_ok() }));
        let receiver = spawn(async move { receive_all(&mut socket).await });
        // It closes without an answer to either.
        let peer = spawn(async move { peer.close().await });
        assert_eq!(pings.map(|ping| ping.join()), [false, false]);
        assert_eq!(receiver.join(), (Vec::new(), true));
        driver.join();
        peer.join();
    });
}
