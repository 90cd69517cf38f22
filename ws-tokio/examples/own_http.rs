//! A program with its own HTTP server, here of a few lines, that passes WebSocket requests to this crate. It gives a parsed
//! request, gets a response to write, and then the connection. The example `hyper_app` does it with hyper.
//!
//! Run: `cargo run -p ws-tokio --example own_http`

use std::error::Error;
use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use ws_tokio::http::{Method, Request, Response, StatusCode, Version};
use ws_tokio::{Addresses, Bytes, Server, TokioIo};

type Failure = Box<dyn Error + Send + Sync>;

/// Reads one request without a body, and the bytes received after it.
async fn read_request(stream: &mut TcpStream) -> Result<(Request<()>, Vec<u8>), Failure> {
    let mut received = Vec::new();
    let end = loop {
        if let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if received.len() > 16 << 10 || stream.read_buf(&mut received).await? == 0 {
            return Err("no request".into());
        }
    };
    let behind = received.split_off(end + 4);
    let head = std::str::from_utf8(&received[..end])?;
    let (first, fields) = head.split_once("\r\n").unwrap_or((head, ""));
    let [method, target, _version] = first.splitn(3, ' ').collect::<Vec<_>>()[..] else {
        return Err("no request".into());
    };
    let mut request = Request::builder().method(Method::from_bytes(method.as_bytes())?).uri(target);
    for field in fields.split("\r\n") {
        let (name, value) = field.split_once(':').ok_or("no header")?;
        request = request.header(name, value.trim());
    }
    Ok((request.version(Version::HTTP_11).body(())?, behind))
}

async fn write_response(stream: &mut TcpStream, response: &Response<Bytes>) -> io::Result<()> {
    let mut bytes = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
    for (name, value) in response.headers() {
        bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    bytes.extend(b"\r\n");
    bytes.extend(response.body());
    stream.write_all(&bytes).await
}

async fn serve(mut stream: TcpStream, server: Server) -> Result<(), Failure> {
    let (request, behind) = read_request(&mut stream).await?;
    if request.uri().path() != "/ws" {
        let page = Bytes::from_static(b"A page. The WebSocket is at /ws.\n");
        let response = Response::builder().header("content-length", page.len()).header("connection", "close");
        return Ok(write_response(&mut stream, &response.body(page)?).await?);
    }
    let addresses = Addresses::new(stream.local_addr().ok(), stream.peer_addr().ok());
    let accepted = match server.upgrade(&request, addresses) {
        Ok(accepted) => accepted,
        Err(refused) => return Ok(write_response(&mut stream, refused.response()).await?),
    };
    write_response(&mut stream, &accepted.response().clone().map(|()| Bytes::new())).await?;
    // Or `into_stream()`, for a connection without a task of its own.
    let (mut ws, driver) = accepted.parts(TokioIo::new(stream)).received(behind).open();
    let handler = async move {
        while let Some(message) = ws.recv().await? {
            ws.send(format!("{}: {message}", ws.subprotocol().unwrap_or("no subprotocol"))).await?;
        }
        Ok(())
    };
    Ok(driver.run(handler).await?)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    // A `Server` holds settings. Create one for each request, or share one in an `Arc`.
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let server = Server::new().subprotocols(["chat"]).origins_or_none(["https://example.com"]);
            tokio::spawn(async move {
                if let Err(error) = serve(stream, server).await {
                    eprintln!("{error}");
                }
            });
        }
    });

    // A page, a WebSocket, and a WebSocket from another site's page.
    let mut plain = TcpStream::connect(address).await?;
    plain.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
    let mut page = String::new();
    plain.read_to_string(&mut page).await?;
    println!("{page}");

    let url = format!("ws://{address}/ws");
    let mut ws = ws_tokio::Client::new(&url).subprotocols(["chat"]).connect().await?;
    ws.send("Hello").await?;
    let answer = ws.recv().await?.ok_or("no answer")?;
    println!("{answer}");
    assert_eq!(answer, "chat: Hello");
    ws.close(1000, "").await?;

    let refused = ws_tokio::Client::new(&url).origin("https://elsewhere.example").connect().await;
    let status = refused.err().and_then(|error| Some(error.response()?.status()));
    println!("from elsewhere: {status:?}");
    assert_eq!(status, Some(StatusCode::FORBIDDEN));
    Ok(())
}
