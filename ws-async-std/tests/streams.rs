//! `AsyncIo`: pieces are written together, errors and ends come through, and every kind of socket can end its writing.

use std::future::poll_fn;
use std::io::{self, IoSlice, Read};
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use smol::Async;
use smol::io::{AsyncRead, AsyncWrite};
use ws_async_std::AsyncIo;
use ws_async_std::session::Transport;

/// Notes what it is asked for.
#[derive(Default)]
struct Recorder {
    calls: Vec<String>,
}

impl AsyncRead for Recorder {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }
}

impl AsyncWrite for Recorder {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        self.calls.push(format!("write {}", buffer.len()));
        Poll::Ready(Ok(buffer.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let lengths: Vec<usize> = buffers.iter().map(|buffer| buffer.len()).collect();
        self.calls.push(format!("write {lengths:?}"));
        Poll::Ready(Ok(lengths.iter().sum()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.calls.push("flush".to_owned());
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.calls.push("close".to_owned());
        Poll::Ready(Ok(()))
    }
}

#[test]
fn writes_before_a_flush_go_out_together() {
    smol::block_on(async {
        let mut io = AsyncIo::new(Recorder::default());
        let (head, body) = (IoSlice::new(b"head"), IoSlice::new(b"a body"));
        assert_eq!(poll_fn(|cx| io.poll_write_vectored(cx, &[head, body])).await.unwrap(), 10);
        assert_eq!(poll_fn(|cx| io.poll_write_vectored(cx, &[head])).await.unwrap(), 4);
        poll_fn(|cx| io.poll_flush(cx)).await.unwrap();
        poll_fn(|cx| io.poll_shutdown(cx)).await.unwrap();
        let error = poll_fn(|cx| io.poll_read(cx, &mut [0; 16])).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(io.into_inner().calls, ["write [4, 6]", "write 4", "flush", "close"]);
    });
}

/// Two ends of a TCP connection. The far one does not wait for ever.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    far.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    (near, far)
}

/// The far end reads the end of the stream while the near one goes on reading.
fn ends_its_writing<S: AsyncRead + AsyncWrite + Unpin + 'static>(stream: S, mut far: impl Read + io::Write) {
    smol::block_on(async {
        let mut io = AsyncIo::new(stream);
        poll_fn(|cx| io.poll_shutdown(cx)).await.unwrap();
        assert_eq!(far.read(&mut [0; 16]).expect("the end of the stream"), 0);

        far.write_all(b"still here").unwrap();
        let mut buffer = [0; 16];
        let read = poll_fn(|cx| io.poll_read(cx, &mut buffer)).await.unwrap();
        assert_eq!(&buffer[..read], b"still here");
    });
}

#[test]
fn a_socket_of_async_io_ends_its_writing() {
    let (near, far) = pair();
    ends_its_writing(Async::new(near).unwrap(), far);
}

#[test]
fn a_socket_of_smol_ends_its_writing() {
    let (near, far) = pair();
    ends_its_writing(smol::net::TcpStream::from(Async::new(near).unwrap()), far);
}

#[cfg(feature = "async-std")]
#[test]
fn a_socket_of_async_std_ends_its_writing() {
    let (near, far) = pair();
    ends_its_writing(async_std::net::TcpStream::from(near), far);
}

#[cfg(unix)]
#[test]
fn unix_sockets_end_their_writing() {
    use std::os::unix::net::UnixStream;

    let pair = || {
        let (near, far) = UnixStream::pair().unwrap();
        far.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        (near, far)
    };
    let (near, far) = pair();
    ends_its_writing(Async::new(near).unwrap(), far);
    #[cfg(feature = "async-std")]
    {
        let (near, far) = pair();
        ends_its_writing(async_std::os::unix::net::UnixStream::from(near), far);
    }
}
