//! Sends back what it gets.
//!
//! Run it with `cargo run -p ws-async-std --example async_std_echo_server`, then the client beside it:
//! `cargo run -p ws-async-std --example async_std_echo_client`.

fn main() -> std::io::Result<()> {
    println!("Listening at ws://127.0.0.1:8765; Ctrl-C stops it.");
    async_std::task::block_on(ws_async_std::serve("127.0.0.1:8765", |mut ws| async move {
        // `None` is an end as it should be; any other end is an error, and `?` hands it on. The server logs errors
        // that are the handler's own, and closes the connection with 1011 after them, with 1000 otherwise.
        while let Some(message) = ws.recv().await? {
            // Waits while much is still to be written: a peer that does not read cannot make us hold it all.
            ws.send(message).await?;
        }
        Ok(())
    }))
}
