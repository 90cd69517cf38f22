//! A server on several threads, each with a runtime of its own: one server for its limits, its handle and its end.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};

use futures_util::future::BoxFuture;

#[cfg(feature = "routes")]
use super::super::adapter::Routes;
use super::setup::*;

const WORKERS: usize = 4;

/// A server on several threads that runs.
struct Team {
    address: SocketAddr,
    handle: ServerHandle,
    serving: BoxFuture<'static, std::io::Result<()>>,
}

impl Team {
    /// `None` on a runtime without single-threaded ones.
    fn start(workers: Workers) -> Option<Self> {
        let address = workers.local_addrs().first().copied().unwrap_or_else(|| "127.0.0.1:0".parse().unwrap());
        let handle = workers.handle();
        let serving = workers.serve(|mut ws: WebSocket| async move {
            ws.send(std::thread::current().name().unwrap_or_default()).await?;
            while let Some(message) = ws.recv().await? {
                ws.send(message).await?;
            }
            Ok(())
        });
        if std::any::type_name::<Server>().contains("tokio") {
            return Some(Self { address, handle, serving: Box::pin(spawn(serving)) });
        }
        assert_eq!(block_on(serving).unwrap_err().kind(), ErrorKind::Unsupported);
        None
    }

    fn client(&self) -> Client {
        Client::new(format!("ws://{}/", self.address))
    }

    fn stop(self) {
        self.handle.shutdown();
        block_on(self.serving).unwrap();
    }
}

fn four() -> Workers {
    Server::new().workers(WORKERS).bind("127.0.0.1:0").unwrap()
}

#[test]
fn connections_are_spread_over_threads_and_are_one_server() {
    let Some(team) = Team::start(four()) else { return };
    let mut clients: Vec<_> = (0..64).map(|_| block_on(team.client().connect()).unwrap()).collect();
    let threads: BTreeSet<_> = clients.iter_mut().map(text).collect();
    assert!(threads.len() > 1 && threads.iter().all(|name| name.starts_with("ws-worker-")), "{threads:?}");
    assert_eq!(team.handle.connections(), 64);
    for ws in &mut clients {
        send(ws, "there");
        assert_eq!(text(ws), "there");
    }
    team.handle.shutdown();
    for ws in &mut clients {
        assert_eq!(ending(ws), (1001, "server shutdown".to_owned()));
    }
    let address = team.address;
    team.stop();
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[cfg(feature = "routes")]
#[test]
fn each_path_has_its_handler() {
    let error = block_on(four().serve_routes()).unwrap_err();
    assert_eq!(
        (error.kind(), &*error.to_string()),
        (ErrorKind::InvalidInput, "the server has no routes (Server::routes)")
    );
    if Team::start(four()).is_none() {
        return;
    }
    let say = |text: &'static str| move |ws: WebSocket| async move { Ok(ws.send(text).await?) };
    let routes = Routes::new().websocket("/a", say("in a")).websocket("/b", say("in b"));
    let workers = Server::new().routes(routes).workers(WORKERS).bind("127.0.0.1:0").unwrap();
    let (address, handle) = (workers.local_addrs()[0], workers.handle());
    let serving = spawn(workers.serve_routes_until(std::future::pending::<()>()));
    for (path, expected) in [("a", "in a"), ("b", "in b")] {
        assert_eq!(text(&mut block_on(connect(format!("ws://{address}/{path}"))).unwrap()), expected);
    }
    assert!(matches!(block_on(connect(format!("ws://{address}/c"))), Err(ConnectError::Rejected(_))));
    handle.shutdown();
    block_on(serving).unwrap();
}

#[test]
fn limits_are_those_of_one_server() {
    let workers = Server::new().max_connections(3).workers(WORKERS).bind("127.0.0.1:0").unwrap();
    let Some(team) = Team::start(workers) else { return };
    let clients: Vec<_> = (0..3).map(|_| block_on(team.client().connect()).unwrap()).collect();
    for _ in 0..8 {
        match block_on(team.client().connect()) {
            Err(ConnectError::Rejected(response)) => assert_eq!(response.status().as_u16(), 503),
            other => panic!("{:?}", other.map(drop)),
        }
    }
    drop(clients);
    team.stop();
}

/// Without sockets that share a port, workers accept from one.
#[test]
fn workers_share_a_given_socket() {
    let given = TcpListener::bind("127.0.0.1:0").unwrap();
    let Some(team) = Team::start(Server::new().workers(WORKERS).listen_on(given).unwrap()) else { return };
    let mut clients: Vec<_> = (0..16).map(|_| block_on(team.client().connect()).unwrap()).collect();
    assert!(clients.iter_mut().map(text).all(|name| name.starts_with("ws-worker-")));
    assert_eq!(team.handle.connections(), 16);
    clients.into_iter().for_each(close);
    team.stop();
}

#[cfg(unix)]
#[test]
fn workers_share_a_unix_socket() {
    let path = std::env::temp_dir().join(format!("ws-workers-{}-{}.sock", std::process::id(), module_path!().len()));
    let Some(team) = Team::start(Server::new().workers(WORKERS).bind_unix(&path).unwrap()) else { return };
    for _ in 0..8 {
        let mut ws = block_on(Client::new("ws://server.test/").unix_socket(&path).connect()).unwrap();
        assert!(text(&mut ws).starts_with("ws-worker-"));
        close(ws);
    }
    team.stop();
    assert!(!path.exists());
}

#[test]
fn an_address_that_another_server_has_is_an_error() {
    let workers = four();
    let address = workers.local_addrs()[0];
    let error = Server::new().workers(WORKERS).bind(address).unwrap_err();
    assert!(matches!(&error, ServeError::Bind { address: named, .. } if *named == address), "{error}");
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    // Unless all of them say that they share it.
    if cfg!(target_os = "linux") {
        let shared = || Server::new().reuse_port(true).workers(2);
        let first = shared().bind("127.0.0.1:0").unwrap();
        shared().bind(first.local_addrs()[0]).unwrap();
    }
}

#[test]
fn mistakes_are_told_when_it_starts() {
    let none = block_on(Server::new().workers(1).serve(echo)).unwrap_err();
    assert_eq!(none.to_string(), "there is no socket to listen on");
    let server = Server::new().origins(["nowhere"]);
    let error = block_on(server.workers(None).bind("127.0.0.1:0").unwrap().serve(echo)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert!(error.to_string().contains("nowhere"), "{error}");
}

/// Nothing is left that could stop it.
#[test]
fn a_server_that_is_dropped_ends() {
    let workers = four();
    let (address, handle) = (workers.local_addrs()[0], workers.handle());
    let mut serving = Box::pin(workers.serve(echo));
    let begun = block_on(cut_off(&mut serving, 1));
    if !std::any::type_name::<Server>().contains("tokio") {
        return;
    }
    assert!(begun.is_none());
    let mut ws = block_on(connect(&format!("ws://{address}/"))).unwrap();
    drop(serving);
    assert_eq!(ending(&mut ws).0, 1001);
    until(|| handle.connections() == 0 && TcpStream::connect(address).is_err());
}
