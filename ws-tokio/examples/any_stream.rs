//! WebSockets over any stream of tokio: here over a Unix socket, and over a pipe in memory.
//!
//! Run: `cargo run -p ws-tokio --example any_stream`

use std::error::Error;

use tokio::io::{AsyncRead, AsyncWrite, duplex};
use ws_tokio::{Addresses, Client, CloseCode, Server, TokioIo};

/// Serves one connection in this task: the handshake, then the handler beside its driver.
async fn serve<S: AsyncRead + AsyncWrite + Unpin + 'static>(stream: S) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (mut ws, driver) = Server::new().accept(TokioIo::new(stream), Addresses::default()).await?;
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
async fn greet<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) -> Result<(), Box<dyn Error>> {
    let client = Client::new("ws://localhost/greeting");
    let (mut ws, driver) = client.handshake(TokioIo::new(stream), Addresses::default()).await?;
    // The driver runs in a task of its own.
    tokio::spawn(driver);
    ws.send("Hello").await?;
    println!("{:?}", ws.recv().await?);
    ws.close(CloseCode::NORMAL, "").await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (near, far) = duplex(4096);
    let server = tokio::spawn(serve(far));
    greet(near).await?;
    server.await?.map_err(|error| error as Box<dyn Error>)?;

    #[cfg(unix)]
    {
        use tokio::net::{UnixListener, UnixStream};

        let path = std::env::temp_dir().join(format!("any-stream-{}.sock", std::process::id()));
        let listener = UnixListener::bind(&path)?;
        let server = tokio::spawn(async move { serve(listener.accept().await?.0).await });
        greet(UnixStream::connect(&path).await?).await?;
        server.await?.map_err(|error| error as Box<dyn Error>)?;
        std::fs::remove_file(path)?;
    }
    Ok(())
}
