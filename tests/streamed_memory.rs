//! A long message passes through both ends of a connection, within a fixed amount of memory. The allocator counts. It counts
//! the whole process, so this program has no test harness and one check after another.

use futures_util::future::try_join;
use peak_alloc::PeakAlloc;
use ws_tokio::{Bytes, Client, HandlerResult, MessageKind, Server, WebSocket};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const MIB: usize = 1 << 20;

/// The length of the message.
const LONG: usize = 100 * MIB;

/// The memory that both ends may take for it together, in both directions, whatever its length.
const MOST: usize = MIB;

// A message is assembled up to `max_message` until it is asked for, so that is low here.

/// Sends each message back while it arrives.
async fn echo(mut ws: WebSocket) -> HandlerResult {
    let sender = ws.sender();
    while let Some(mut message) = ws.recv_streaming().await? {
        sender.send_stream(message.kind(), &mut message).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let server = Server::new().max_message(64 << 10).max_streamed(None).bind("127.0.0.1:0").await?;
    let (url, handle) = (format!("ws://{}", server.local_addr()?), server.handle());
    let serving = tokio::spawn(server.serve(echo));
    let plain = Client::new(&url).max_message(64 << 10).max_streamed(None);
    #[cfg(feature = "deflate")]
    let plain = plain.compression(None);
    echoed(plain, "as it is", LONG).await?;
    #[cfg(feature = "deflate")]
    echoed(Client::new(&url).max_message(64 << 10).max_streamed(None), "compressed", LONG / 4).await?;
    handle.shutdown();
    serving.await??;
    Ok(())
}

/// Sends a message of so many bytes, and receives it from the server meanwhile.
async fn echoed(client: Client, name: &str, bytes: usize) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut ws = client.connect().await?;
    // Buffers that threads and connections keep are there before.
    pass(&mut ws, 2 * MIB).await?;
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    pass(&mut ws, bytes).await?;
    let most = HEAP.peak_usage().saturating_sub(before);
    println!("{name}: {} MiB there and back, at most {} KiB of memory", bytes / MIB, most >> 10);
    assert!(most <= MOST, "{most} bytes");
    ws.close(1000, "").await?;
    Ok(())
}

async fn pass(ws: &mut WebSocket, bytes: usize) -> Result<(), ws_tokio::Error> {
    let sender = ws.sender();
    // Bytes that repeat at a distance, so that they compress somewhat.
    let piece: Bytes = (0..MIB / 8).map(|n| (n * n / 7) as u8).collect::<Vec<u8>>().into();
    let pieces = std::iter::repeat_n(piece.clone(), bytes / piece.len());
    let sending = sender.send_iter(MessageKind::Binary, pieces);
    let receiving = async {
        let mut message = ws.recv_streaming().await?.expect("a message");
        let mut at = 0;
        while let Some(chunk) = message.chunk().await? {
            assert!(chunk.iter().enumerate().step_by(97).all(|(n, byte)| *byte == piece[(at + n) % piece.len()]));
            at += chunk.len();
        }
        assert_eq!(at, bytes);
        Ok(())
    };
    try_join(sending, receiving).await.map(drop)
}
