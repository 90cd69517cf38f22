//! Connections as streams of bytes, with the traits of the runtime.

use std::io::{ErrorKind, IoSlice};

use futures_util::future::join;

use super::super::io::*;
use super::setup::*;

/// Sends everything back, in whatever pieces it comes, and ends its direction after the peer's.
async fn echo_bytes(ws: WebSocket) -> HandlerResult {
    let (mut reading, mut writing) = split(ByteStream::from(ws.into_bytes().half_close(true)));
    let mut buffer = vec![0; 5000];
    loop {
        match reading.read(&mut buffer).await? {
            0 => break,
            n => writing.write_all(&buffer[..n]).await?,
        }
    }
    end(&mut writing).await?;
    Ok(())
}

#[test]
fn two_tasks_read_and_write_a_lot_and_each_direction_ends_on_its_own() {
    let server = start(uncompressed(), echo_bytes);
    let bytes = ByteStream::from(server.connect().into_bytes().half_close(true));
    let (mut reading, mut writing) = split(bytes);
    // More than all buffers hold.
    let sending = spawn(async move {
        writing.write_all(&pattern(8 << 20)).await.unwrap();
        end(&mut writing).await.unwrap();
    });
    let receiving = spawn(async move {
        let mut received = Vec::new();
        reading.read_to_end(&mut received).await.unwrap();
        received
    });
    let ((), received) = block_on(join(sending, receiving));
    assert!(received == pattern(8 << 20));
    server.stop();
}

#[test]
fn a_polled_connection_is_a_stream_of_bytes_too() {
    let server = start(uncompressed(), echo_bytes);
    block_on(async {
        let ws = server.client().connect_stream().await.unwrap();
        let mut bytes = ByteStream::from(ws.into_bytes().half_close(true));
        for n in 0..100 {
            let sent = pattern(n * 100 + 1);
            bytes.write_all(&sent).await.unwrap();
            let mut received = vec![0; sent.len()];
            bytes.read_exact(&mut received).await.unwrap();
            assert!(received == sent, "{n}");
        }
        end(&mut bytes).await.unwrap();
        assert_eq!(bytes.read(&mut [0; 10]).await.unwrap(), 0);
        let (mut ws, _) = bytes.into_inner().into_inner();
        assert!(ws.closed().await.is_normal());
    });
    server.stop();
}

#[test]
fn a_stream_of_bytes_is_written_and_read_as_frames_say() {
    let (ws, mut peer) = accepted(uncompressed());
    assert_eq!(ByteStream::new(ws).get_ref().request().uri(), "/");
    drop(peer.close_frame());

    let (ws, mut peer) = accepted(uncompressed());
    let mut bytes = ByteStream::new(ws);
    peer.write([masked(0x82, "first li"), masked(0x82, ""), masked(0x82, "ne\nsecond")].concat());
    block_on(async {
        let mut line = String::new();
        bytes.read_line(&mut line).await.unwrap();
        assert_eq!(line, "first line\n");
        let mut rest = [0; 6];
        bytes.read_exact(&mut rest).await.unwrap();
        assert_eq!(&rest, b"second");
        assert_eq!(bytes.write(b"").await.unwrap(), 0);
        assert_eq!(bytes.write(b"one").await.unwrap(), 3);
        assert_eq!(bytes.write_vectored(&[IoSlice::new(b"head"), IoSlice::new(b", body")]).await.unwrap(), 10);
        bytes.flush().await.unwrap();
        end(&mut bytes).await.unwrap();
        assert_eq!(bytes.write(b"more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
    assert_eq!(peer.frame(), (0x82, b"one".to_vec()));
    assert_eq!(peer.frame(), (0x82, b"head, body".to_vec()));
    assert_eq!(peer.close_frame(), (1000, String::new()));
    // The rest of the peer's data, and its Close.
    peer.write([masked(0x82, "still "), masked(0x82, "read"), masked_close(1000, "")].concat());
    let mut rest = String::new();
    block_on(bytes.read_to_string(&mut rest)).unwrap();
    assert_eq!(rest, "still read");
}

#[test]
fn text_and_an_end_without_a_close_are_errors() {
    let (ws, mut peer) = accepted(uncompressed());
    let mut bytes = ByteStream::new(ws);
    peer.write(masked(0x81, "text"));
    assert_eq!(block_on(bytes.read(&mut [0; 10])).unwrap_err().kind(), ErrorKind::InvalidData);
    assert_eq!(peer.close_frame().0, 1003);

    let (ws, mut peer) = accepted(uncompressed());
    let mut bytes = ByteStream::new(ws);
    peer.write(masked(0x82, "unfinished"));
    peer.finish();
    let mut received = Vec::new();
    let error = block_on(bytes.read_to_end(&mut received)).unwrap_err();
    assert_eq!((received.as_slice(), error.kind()), (&b"unfinished"[..], ErrorKind::UnexpectedEof));
    let error: &Error = error.get_ref().unwrap().downcast_ref().unwrap();
    assert_eq!(outcome(error).cause, Cause::Eof);
}
