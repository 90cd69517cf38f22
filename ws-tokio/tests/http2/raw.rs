//! A client of HTTP/2 in the hands of a test.

use std::future::poll_fn;
use std::net::SocketAddr;

use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::ext::Protocol;
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, yield_now};
use ws_test_support::frames::{self, Frame, Received};
use ws_tokio::Bytes;
use ws_tokio::http::{Method, Request, Response, Version};

use crate::common::*;

/// One connection of HTTP/2.
pub(crate) struct Peer {
    pub(crate) requests: SendRequest<Bytes>,
    /// Ends with the connection.
    pub(crate) task: JoinHandle<Result<(), h2::Error>>,
    authority: String,
}

impl Peer {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::connect_with(address, Builder::new()).await
    }

    pub(crate) async fn connect_with(address: SocketAddr, builder: Builder) -> Self {
        let stream = in_time(TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream, builder).await
    }

    /// Waits for the server's SETTINGS.
    pub(crate) async fn over<S>(stream: S, mut builder: Builder) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // By default, a hundred short frames that are not read yet end the connection.
        builder.data_frame_budget(1 << 30);
        let (requests, connection) = in_time(builder.handshake(stream)).await.unwrap();
        let task = tokio::spawn(connection);
        in_time(async {
            while !requests.is_extended_connect_protocol_enabled() {
                assert!(!task.is_finished(), "the setting never came");
                yield_now().await;
            }
        })
        .await;
        Self { requests, task, authority: "server.example.com".to_owned() }
    }

    /// An extended CONNECT with these fields besides.
    pub(crate) fn connect_request(&self, path: &str, fields: &[(&str, &str)]) -> Request<()> {
        let mut request = self.request(Method::CONNECT, path, fields);
        request.headers_mut().insert("sec-websocket-version", "13".parse().unwrap());
        request.extensions_mut().insert(Protocol::from_static("websocket"));
        request
    }

    pub(crate) fn request(&self, method: Method, path: &str, fields: &[(&str, &str)]) -> Request<()> {
        let uri = format!("http://{}{path}", self.authority);
        let mut request = Request::builder().method(method).version(Version::HTTP_2).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    /// Sends a request. `end` ends our half at once.
    pub(crate) async fn send(&mut self, request: Request<()>, end: bool) -> (ResponseFuture, SendStream<Bytes>) {
        let mut requests = in_time(self.requests.clone().ready()).await.unwrap();
        requests.send_request(request, end).unwrap()
    }

    /// The response to a request without a body, and its body.
    pub(crate) async fn ask(&mut self, request: Request<()>) -> (Response<()>, Vec<u8>) {
        let (response, _send) = self.send(request, true).await;
        let (head, mut body) = in_time(response).await.unwrap().into_parts();
        let mut bytes = Vec::new();
        while let Some(data) = in_time(body.data()).await {
            let data = data.unwrap();
            let _ = body.flow_control().release_capacity(data.len());
            bytes.extend_from_slice(&data);
        }
        (Response::from_parts(head, ()), bytes)
    }

    pub(crate) async fn open(&mut self) -> Stream {
        self.open_with(&[]).await
    }

    /// An open WebSocket connection.
    pub(crate) async fn open_with(&mut self, fields: &[(&str, &str)]) -> Stream {
        self.open_at("/", fields).await
    }

    pub(crate) async fn open_at(&mut self, path: &str, fields: &[(&str, &str)]) -> Stream {
        let request = self.connect_request(path, fields);
        let (response, send) = self.send(request, false).await;
        let (head, receive) = in_time(response).await.unwrap().into_parts();
        assert_eq!(head.status, 200);
        Stream { head: Response::from_parts(head, ()), send, receive, received: Received::default() }
    }
}

/// One stream with a WebSocket connection.
pub(crate) struct Stream {
    pub(crate) head: Response<()>,
    pub(crate) send: SendStream<Bytes>,
    pub(crate) receive: RecvStream,
    received: Received,
}

/// The end of the server's half of a stream.
#[derive(Debug, PartialEq)]
pub(crate) enum End {
    Stream,
    Reset(Reason),
    /// The connection has ended.
    Connection,
}

impl Stream {
    /// Sends a frame, in a DATA frame of its own.
    pub(crate) fn send_frame(&mut self, first: u8, payload: impl AsRef<[u8]>, end: bool) {
        let frame = frames::frame(first, payload, Some(frames::KEY));
        self.send.send_data(frame.into(), end).unwrap();
    }

    pub(crate) fn send_close(&mut self, code: u16, end: bool) {
        self.send_frame(frames::CLOSE, frames::close_body(code, ""), end);
    }

    /// Waits for a frame.
    pub(crate) async fn frame(&mut self) -> Frame {
        loop {
            if let Some(found) = self.received.frame() {
                return found.frame;
            }
            match self.data().await {
                Ok(data) => assert!(!data.is_empty() || !self.receive.is_end_stream(), "the stream has ended"),
                Err(end) => panic!("{end:?} after {:?}", self.received.bytes),
            }
        }
    }

    /// Waits for DATA.
    pub(crate) async fn data(&mut self) -> Result<Bytes, End> {
        match in_time(self.receive.data()).await {
            Some(Ok(data)) => {
                let _ = self.receive.flow_control().release_capacity(data.len());
                self.received.bytes.extend_from_slice(&data);
                Ok(data)
            }
            Some(Err(error)) if error.is_reset() => Err(End::Reset(error.reason().unwrap())),
            Some(Err(_)) => Err(End::Connection),
            None => Err(End::Stream),
        }
    }

    /// Reads to the end of the server's half.
    pub(crate) async fn end(&mut self) -> End {
        loop {
            if let Err(end) = self.data().await {
                return end;
            }
        }
    }

    /// Waits for a reset of a stream whose other half has ended.
    pub(crate) async fn reset(&mut self) -> Reason {
        in_time(poll_fn(|cx| self.send.poll_reset(cx))).await.unwrap()
    }

    pub(crate) async fn echo(&mut self, text: &str) {
        self.send_frame(frames::TEXT, text, false);
        assert_eq!(self.frame().await, frames::text(text));
    }
}
