//! WebSockets over any stream of `futures-io`: here over smol's sockets, with smol's executor and without async-std.
//!
//! Run: `cargo run -p ws-async-std --no-default-features --example smol_any_stream`

use smol::io::{AsyncRead, AsyncWrite};
use smol::net::{TcpListener, TcpStream};
use ws_async_std::session::{Addresses, BoxError, CloseCode};
use ws_async_std::{AsyncIo, Executor, Reactor, session};

/// smol's executor, which runs the tasks of connections.
struct Smol;

impl Executor for Smol {
    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(task).detach();
    }
}

type Server = session::Server<Reactor<Smol>>;
type Client = session::Client<Reactor<Smol>>;

/// Serves one connection in this task: the handshake, then the handler beside its driver.
async fn serve<S: AsyncRead + AsyncWrite + Unpin + 'static>(stream: S) -> Result<(), BoxError> {
    let (mut ws, driver) = Server::new().accept(AsyncIo::new(stream), Addresses::default()).await?;
    driver
        .run(async move {
            while let Some(message) = ws.recv().await? {
                ws.send(message).await?;
            }
            Ok(())
        })
        .await?;
    Ok(())
}

/// Opens a connection on the stream, and sends a message. The URL only fills in the request; no address is dialled.
async fn greet<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) -> Result<(), BoxError> {
    let client = Client::new("ws://localhost/greeting");
    let (mut ws, driver) = client.handshake(AsyncIo::new(stream), Addresses::default()).await?;
    // The driver runs in a task of its own.
    Smol::spawn(driver);
    ws.send("Hello").await?;
    println!("{:?}", ws.recv().await?);
    ws.close(CloseCode::NORMAL, "").await?;
    Ok(())
}

fn main() -> Result<(), BoxError> {
    smol::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = smol::spawn(async move { serve(listener.accept().await?.0).await });
        greet(TcpStream::connect(address).await?).await?;
        server.await?;

        #[cfg(unix)]
        {
            let (near, far) = smol::net::unix::UnixStream::pair()?;
            let server = smol::spawn(serve(far));
            greet(near).await?;
            server.await?;
        }
        Ok(())
    })
}
