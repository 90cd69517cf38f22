//! smol: its streams, its executors, and no task of async-std anywhere.

use smol::net::{TcpListener, TcpStream};
use ws_async_std::session::{Addresses, Client, CloseCode, Message, Server};
use ws_async_std::{AsyncIo, Executor, Reactor};

/// smol's global executor.
struct Smol;

impl Executor for Smol {
    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(task).detach();
    }
}

/// No executor: connections are driven where they are used.
struct Nobody;

impl Executor for Nobody {
    fn spawn(_: impl Future<Output = ()> + Send + 'static) {
        panic!("there is nobody to run tasks");
    }
}

#[test]
fn streams_of_smol_are_transports_under_any_block_on() {
    smol::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = async {
            let (stream, _) = listener.accept().await.unwrap();
            let server = Server::<Reactor<Nobody>>::new();
            let (mut ws, driver) = server.accept(AsyncIo::new(stream), Addresses::default()).await.unwrap();
            let handler = async move {
                while let Some(message) = ws.recv().await? {
                    ws.send(message).await?;
                }
                Ok(())
            };
            driver.run(handler).await.unwrap();
        };
        let asking = async {
            let stream = TcpStream::connect(address).await.unwrap();
            let client = Client::<Reactor<Nobody>>::new("ws://localhost/");
            let (mut ws, driver) = client.handshake(AsyncIo::new(stream), Addresses::default()).await.unwrap();
            let long = Message::from(vec![7; 1 << 20]);
            let talk = async move {
                for message in [Message::from("Hello"), long] {
                    ws.send(message.clone()).await?;
                    assert_eq!(ws.recv().await?, Some(message));
                }
                let outcome = ws.close(CloseCode::NORMAL, "").await?;
                assert_eq!(outcome.code(), CloseCode::NORMAL);
                Ok(())
            };
            driver.run(talk).await.unwrap();
        };
        smol::future::zip(serving, asking).await;
    });
}

#[test]
fn servers_and_clients_run_on_smols_executor() {
    smol::block_on(async {
        let listening = Server::<Reactor<Smol>>::new().bind("127.0.0.1:0").await.unwrap();
        let (address, handle) = (listening.local_addr().unwrap(), listening.handle());
        let serving = smol::spawn(listening.serve(|mut ws| async move {
            while let Some(message) = ws.recv().await? {
                ws.send(message).await?;
            }
            Ok(())
        }));

        // By name, so that it is resolved.
        let url = format!("ws://localhost:{}/", address.port());
        let mut ws = Client::<Reactor<Smol>>::new(&url).connect().await.unwrap();
        assert_eq!(ws.peer_addr(), Some(address));
        assert!(ws.local_addr().is_some());
        ws.send("Hello").await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::from("Hello")));

        handle.shutdown();
        assert_eq!(ws.recv().await.unwrap(), None);
        serving.await.unwrap();
    });
}

/// epoll takes no files.
#[cfg(target_os = "linux")]
#[test]
fn a_socket_that_the_reactor_refuses_is_an_error() {
    use std::os::fd::OwnedFd;

    use ws_async_std::session::Runtime;

    let file = std::fs::File::open(env!("CARGO_MANIFEST_DIR").to_owned() + "/Cargo.toml").unwrap();
    let error = Reactor::<Nobody>::listen(OwnedFd::from(file).into()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
}
