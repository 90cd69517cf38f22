//! A server that sends back each message.
//!
//! Run: `cargo run -p ws-async-std --example async_std_echo_server`. Then run the client:
//! `cargo run -p ws-async-std --example async_std_echo_client`.

fn main() -> std::io::Result<()> {
    println!("Listening at ws://127.0.0.1:8765; Ctrl-C stops it.");
    async_std::task::block_on(ws_async_std::serve("127.0.0.1:8765", |mut ws| async move {
        // `None` is a normal end. Any other end is an error, which `?` returns. After an error of the handler's own, the
        // server logs it and closes the connection with 1011; otherwise it closes with 1000.
        while let Some(message) = ws.recv().await? {
            // Waits while the outgoing queue is full, so a peer that does not read cannot fill our memory.
            ws.send(message).await?;
        }
        Ok(())
    }))
}
