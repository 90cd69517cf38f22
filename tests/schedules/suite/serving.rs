//! A server that shuts down while clients come and go.

use std::net::TcpListener;
use std::sync::{Arc, OnceLock};

use shuttle::sync::atomic::{AtomicUsize, Ordering};
use ws_proto::Role;
use ws_test_support::opening::REQUEST;

use crate::explore::explore;
use crate::link::{End, Peer};
use crate::setup::{Setup, new_world, receive_all};
use crate::tasks::{Running, join_all, spawn};

/// A socket for servers that need one and never use it.
fn some_socket() -> TcpListener {
    static SOCKET: OnceLock<TcpListener> = OnceLock::new();
    SOCKET.get_or_init(|| TcpListener::bind("127.0.0.1:0").unwrap()).try_clone().unwrap()
}

/// A client that comes, waits for the end, and goes.
fn client(end: impl FnOnce() -> End + Send + 'static) -> Running<()> {
    spawn(async move {
        let mut peer = Peer::new(Role::Client, end());
        // A server that shuts down may refuse it.
        peer.upgrade(REQUEST).await;
        assert!(peer.finish().await.len() <= 1, "nothing but a Close comes");
    })
}

#[test]
fn a_shutdown_ends_every_connection() {
    explore(|| {
        let world = new_world();
        let listening = Setup::new().server().listen_on(some_socket()).unwrap();
        let handle = listening.handle();
        let handled = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&handled);
        let serving = spawn(listening.serve(move |mut socket| {
            let counter = Arc::clone(&counter);
            async move {
                assert_eq!(receive_all(&mut socket).await, (Vec::new(), true));
                counter.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
        }));
        let clients = [(); 2].map(|()| {
            let backlog = world.backlog.clone();
            client(move || backlog.connect())
        });
        let stopping = handle.clone();
        let stopping = spawn(async move { stopping.shutdown() });
        stopping.join();
        serving.join().unwrap();
        assert_eq!(handle.connections(), 0, "served to the end");
        assert!(handled.load(Ordering::SeqCst) <= 2);
        join_all(clients);
    });
}

#[test]
fn a_shutdown_meets_handlers_that_end_and_handshakes_that_wait() {
    explore(|| {
        let world = new_world();
        let server = Setup::new().server().max_handshakes(1);
        let listening = server.listen_on(some_socket()).unwrap();
        let handle = listening.handle();
        let serving = spawn(listening.serve(|socket| async move {
            drop(socket);
            Ok(())
        }));
        let clients = [(); 3].map(|()| {
            let backlog = world.backlog.clone();
            client(move || backlog.connect())
        });
        spawn(async move { handle.shutdown() }).join();
        serving.join().unwrap();
        join_all(clients);
    });
}
