//! A client without a task of its own: the program's loop polls it, and that moves its bytes.
//!
//! Run: `cargo run -p ws-tokio --example stream`

use std::error::Error;
use std::time::Duration;

use tokio::time::interval;
use ws_tokio::{Client, Server, WebSocket};

async fn echo(mut ws: WebSocket) -> ws_tokio::HandlerResult {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // A server for this example. Only the server uses tasks.
    let listening = Server::new().bind("127.0.0.1:0").await?;
    let url = format!("ws://{}", listening.local_addr()?);
    let server = listening.handle();
    let serving = tokio::spawn(listening.serve(echo));

    let mut ws = Client::new(url).connect_stream().await?;
    let mut ticks = interval(Duration::from_millis(50));
    let (mut sent, mut answers) = (0, 0);
    while answers < 5 {
        // `recv` is always polled beside other work. So pings are answered, and the connection stays alive.
        tokio::select! {
            _ = ticks.tick() => {
                ws.send(format!("tick {sent}")).await?;
                sent += 1;
            }
            received = ws.recv() => match received? {
                Some(message) => {
                    println!("{message}");
                    answers += 1;
                }
                None => return Err("the server has closed the connection".into()),
            },
        }
    }
    println!("round trip: {:?}", ws.ping().await?.time);

    // A message that another task sends wakes this task, which writes it.
    let sender = ws.sender();
    let other = tokio::spawn(async move { sender.send("from another task").await });
    println!("{:?}", ws.recv().await?);
    other.await??;

    println!("{}", ws.close(1000, "").await?);
    server.shutdown();
    serving.await??;
    Ok(())
}
