//! The server that `tests/interop/run` points other people's clients at: the command language of
//! `tests/interop/README.md`, over ws-tokio.
//!
//! usage: `interop-server [certificates=DIRECTORY] [http2=yes] [axum] [balanced=SOCKET]`: with certificates over TLS, with `http2=yes` over HTTP/2
//! beside HTTP/1.1, with `axum` through the extractor, with `balanced=SOCKET` for load balancers and on this Unix socket
//!
//! Prints `ready main=URL limited=URL guarded=URL deflate=URL alone=URL lively=URL`, over TLS also `mutual=URL expired=URL
//! early=URL misnamed=URL stranger=URL`, and ends after `/shutdown`, SIGINT or SIGTERM.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::routing::any;
use axum::{Extension, Router};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;
use ws_tokio::axum::WebSocketUpgrade;
use ws_tokio::http::{Request, Response, StatusCode, Uri, header};
use ws_tokio::rustls::crypto::ring;
use ws_tokio::rustls::pki_types::pem::PemObject as _;
use ws_tokio::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use ws_tokio::rustls::server::WebPkiClientVerifier;
use ws_tokio::rustls::{RootCertStore, ServerConfig};
use ws_tokio::{
    Bytes, ClientIp, CloseCode, Config, Deflate, HandlerResult, Http2, Listening, Message, Server, ServerHandle,
    WebSocket,
};
#[cfg(unix)]
use ws_tokio::{ProxyHeader, ProxyProtocol, UnixSocket};

const MIB: usize = 1 << 20;
/// Where nginx connects from in `tests/interop/nginx`.
const PROXY: &str = "127.0.0.2";
const PATHS: [&str; 9] = ["/echo", "/fragments", "/send", "/ping", "/request", "/close", "/fail", "/seen", "/shutdown"];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut roomy = Config::default();
    roomy.limits.message = Some(32 * MIB);
    roomy.limits.frame = Some(32 * MIB);

    let mut no_takeover = Deflate::server();
    no_takeover.send_context_takeover = false;
    no_takeover.receive_context_takeover = false;

    let mut lively = Config::default();
    lively.deadlines.ping_interval = Some(Duration::from_millis(300));

    let server = || Server::new().on_request(answer_http).trusted_proxies([PROXY]);
    let guarded = server().config(roomy.clone()).origins(["https://allowed.example"]);
    let mut all = vec![
        ("main", server().config(roomy.clone()).compression(None)),
        ("limited", server()),
        ("guarded", guarded.subprotocols(["chat.v2", "chat.v1"])),
        ("deflate", server().config(roomy.clone())),
        ("alone", server().config(roomy).compression(Some(no_takeover))),
        ("lively", server().config(lively)),
    ];
    let args: Vec<String> = std::env::args().skip(1).collect();
    let certificates = args.iter().find_map(|arg| arg.strip_prefix("certificates=")).map(Certificates::at);
    if args.iter().any(|arg| arg == "axum") {
        return serve_with_axum(all).await;
    }
    #[cfg(unix)]
    if let (Some(socket), Some(certificates)) =
        (args.iter().find_map(|arg| arg.strip_prefix("balanced=")), &certificates)
    {
        return serve_behind_balancers(server, socket, certificates).await;
    }
    if args.iter().any(|arg| arg == "http2=yes") {
        all = all.into_iter().map(|(name, server)| (name, server.http2(Http2::default()))).collect();
    }
    let scheme = if certificates.is_some() { "wss" } else { "ws" };
    if let Some(certificates) = &certificates {
        let mut secured = Vec::new();
        for (name, server) in all {
            secured.push((name, server.tls(certificates.read("server.pem")?, certificates.read("server.key")?)));
        }
        for name in ["expired", "early", "misnamed", "stranger"] {
            let (chain, key) = (certificates.read(&format!("{name}.pem"))?, certificates.read(&format!("{name}.key"))?);
            secured.push((name, server().tls(chain, key)));
        }
        secured.push(("mutual", server().tls_config(certificates.asking_for_a_client()?)));
        all = secured;
    }
    let mut ready = String::from("ready");
    let mut servers = Vec::new();
    for (name, server) in all {
        let listening = server.bind("127.0.0.1:0").await?;
        ready += &format!(" {name}={scheme}://{}", listening.local_addr()?);
        servers.push(listening);
    }
    serve(servers, ready).await
}

/// Serves until it is told to stop.
async fn serve(servers: Vec<Listening>, ready: String) -> Result<(), Box<dyn Error + Send + Sync>> {
    let handles = servers.iter().map(|listening| listening.handle()).collect();
    let desk = Arc::new(Desk { servers: handles, endings: Mutex::default() });
    let mut serving = Vec::new();
    for listening in servers {
        let desk = Arc::clone(&desk);
        serving.push(tokio::spawn(listening.serve(move |ws| handle_connection(Arc::clone(&desk), ws))));
    }
    println!("{ready}");

    let stopper = Arc::clone(&desk);
    let stop = stop_signal()?;
    tokio::spawn(async move {
        stop.await;
        stopper.shut_down();
    });
    for server in serving {
        server.await??;
    }
    Ok(())
}

/// Serves behind proxies that send the PROXY protocol or `Forwarded`, and on a Unix socket.
#[cfg(unix)]
async fn serve_behind_balancers(
    server: impl Fn() -> Server,
    socket: &str,
    certificates: &Certificates,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let announced = || server().proxy_protocol(ProxyProtocol::Required);
    let secure = announced().tls(certificates.read("server.pem")?, certificates.read("server.key")?);
    let mut ready = String::from("ready");
    let mut servers = Vec::new();
    for (name, scheme, server) in [
        ("announced", "ws", announced()),
        ("secure", "wss", secure),
        ("forwarded", "ws", server().proxy_header(ProxyHeader::Forwarded)),
    ] {
        let listening = server.bind("127.0.0.1:0").await?;
        ready += &format!(" {name}={scheme}://{}", listening.local_addr()?);
        servers.push(listening);
    }
    // nginx's workers have another user.
    let local = server().trusted_proxies(["unix:"]).bind_unix(UnixSocket::new(socket).mode(0o777)).await?;
    servers.push(local);
    serve(servers, ready).await
}

/// Serves the same through the axum extractor, without TLS.
async fn serve_with_axum(all: Vec<(&str, Server)>) -> Result<(), Box<dyn Error + Send + Sync>> {
    let desk =
        Arc::new(Desk { servers: all.iter().map(|(_, server)| server.handle()).collect(), endings: Mutex::default() });
    let mut ready = String::from("ready");
    let mut serving = Vec::new();
    for (name, server) in all {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        ready += &format!(" {name}=ws://{}", listener.local_addr()?);
        let (handle, desk) = (server.handle(), Arc::clone(&desk));
        let answer = async move |ws: Option<WebSocketUpgrade>, request: axum::extract::Request| match ws {
            Some(ws) => ws.on_upgrade(move |ws| handle_connection(desk, ws)),
            None => answer_http(&request.map(drop)).unwrap_or_default().map(Body::from),
        };
        let app = Router::new().fallback(any(answer)).layer(Extension(server));
        let stopped = async move { handle.closed().await };
        serving.push(tokio::spawn(axum::serve(listener, app).with_graceful_shutdown(stopped).into_future()));
    }
    println!("{ready}");

    let stopper = Arc::clone(&desk);
    let stop = stop_signal()?;
    tokio::spawn(async move {
        stop.await;
        stopper.shut_down();
    });
    for server in serving {
        server.await??;
    }
    Ok(())
}

/// Listens for SIGINT and SIGTERM from now on; ready when one comes.
#[cfg(unix)]
fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    })
}

/// Ready when Ctrl-C is pressed.
#[cfg(not(unix))]
fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

/// The directory that `tests/interop/python/certificates.py` has filled.
struct Certificates(PathBuf);

impl Certificates {
    fn at(directory: &str) -> Self {
        Self(directory.into())
    }

    fn read(&self, file: &str) -> io::Result<Vec<u8>> {
        std::fs::read(self.0.join(file))
    }

    /// The settings of a server that wants to know who its clients are.
    fn asking_for_a_client(&self) -> Result<Arc<ServerConfig>, Box<dyn Error + Send + Sync>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&self.read("ca.pem")?)?)?;
        let provider = Arc::new(ring::default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
        let chain = vec![CertificateDer::from_pem_slice(&self.read("server.pem")?)?];
        let key = PrivateKeyDer::from_pem_slice(&self.read("server.key")?)?;
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(Arc::new(config.with_client_cert_verifier(clients).with_single_cert(chain, key)?))
    }
}

/// What the connections share.
struct Desk {
    servers: Vec<ServerHandle>,
    /// How each connection that carried an id ended.
    endings: Mutex<HashMap<String, watch::Sender<Option<Value>>>>,
}

impl Desk {
    fn shut_down(&self) {
        for server in &self.servers {
            server.shutdown();
        }
    }

    fn ending(&self, id: &str) -> watch::Sender<Option<Value>> {
        self.endings.lock().expect("no panic while locked").entry(id.to_owned()).or_default().clone()
    }
}

async fn handle_connection(desk: Arc<Desk>, mut ws: WebSocket) -> HandlerResult {
    let uri = ws.request().uri().clone();
    let query = query(&uri);
    if let Some(id) = query.get("id").filter(|_| uri.path() != "/seen") {
        // The handler's own end comes before the connection's, so this waits in a task of its own.
        let (connection, ending) = (ws.sender(), desk.ending(id));
        tokio::spawn(async move {
            let outcome = connection.closed().await;
            let value = json!({ "code": u16::from(outcome.code()), "reason": outcome.reason() });
            ending.send_replace(Some(value));
        });
    }
    match uri.path() {
        "/echo" if query.contains_key("streamed") => {
            let sender = ws.sender();
            while let Some(mut message) = ws.recv_streaming().await? {
                sender.send_stream(message.kind(), &mut message).await?;
            }
        }
        "/echo" => {
            while let Some(message) = ws.recv().await? {
                ws.send(message).await?;
            }
        }
        "/fragments" => {
            let size = number(&query, "size")?;
            while let Some(message) = ws.recv().await? {
                send_in_fragments(&ws, message, size).await?;
            }
        }
        "/send" => {
            let size = number(&query, "size")?;
            let text = query.get("kind").is_some_and(|kind| kind == "text");
            let message = if text { Message::from("x".repeat(size)) } else { Message::from(vec![0; size]) };
            ws.send(message).await?;
        }
        "/ping" => {
            let mut microseconds = Vec::new();
            for _ in 0..3 {
                microseconds.push(ws.ping().await?.time.as_micros() as u64);
            }
            ws.send(json!({ "microseconds": microseconds }).to_string()).await?;
        }
        "/request" => ws.send(request_seen(&ws).to_string()).await?,
        "/close" => {
            let code = match query.get("code") {
                Some(code) => CloseCode::from(code.parse::<u16>()?),
                None => CloseCode::NO_STATUS,
            };
            ws.close(code, query.get("reason").map_or("", String::as_str)).await?;
            return Ok(());
        }
        "/fail" => return Err("this handler fails on purpose".into()),
        "/seen" => {
            let mut ending = desk.ending(query.get("id").ok_or("no id")?).subscribe();
            let ended = timeout(Duration::from_secs(15), ending.wait_for(Option::is_some)).await??.clone();
            ws.send(ended.unwrap_or_default().to_string()).await?;
        }
        "/shutdown" => desk.shut_down(),
        other => return Err(format!("no command at {other}").into()),
    }
    while ws.recv().await?.is_some() {}
    Ok(())
}

/// The message back, in pieces of at most `size` bytes, or of one character where that has more.
async fn send_in_fragments(ws: &WebSocket, message: Message, size: usize) -> Result<(), ws_tokio::Error> {
    let (text, payload) = (message.is_text(), message.into_bytes());
    let mut start = 0;
    loop {
        let mut end = payload.len().min(start + size);
        if text {
            // 10xxxxxx continues a character.
            while payload.get(end).is_some_and(|byte| byte & 0xC0 == 0x80) {
                end += 1;
            }
        }
        let last = end == payload.len();
        let piece = payload.slice(start..end);
        let piece = match text {
            true => Message::from(String::from_utf8_lossy(&piece).into_owned()),
            false => Message::from(piece),
        };
        ws.send_fragment(piece, last).await?;
        if last {
            return Ok(());
        }
        start = end;
    }
}

fn request_seen(ws: &WebSocket) -> Value {
    let headers: BTreeMap<&str, String> = (ws.request().headers().iter())
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let client = ws.client_ip().map(|client| client.to_string());
    let target = ws.request().uri().to_string();
    let version = format!("{:?}", ws.request().version());
    json!({ "target": target, "version": version, "headers": headers, "subprotocol": ws.subprotocol(), "client": client })
}

fn answer_http(request: &Request<()>) -> Option<Response<Bytes>> {
    let html = (header::CONTENT_TYPE, "text/html; charset=utf-8");
    let plain = (header::CONTENT_TYPE, "text/plain; charset=utf-8");
    let (status, extra, body) = match request.uri().path() {
        "/page" => (StatusCode::OK, html, "<!doctype html><title>interop</title><p>A page, not a socket.\n".to_owned()),
        "/client" => {
            let client = request.extensions().get().map(|ClientIp(client)| client.to_string());
            (StatusCode::OK, plain, client.unwrap_or_default())
        }
        "/refuse" => {
            let challenge = (header::WWW_AUTHENTICATE, "Basic realm=\"interop\"");
            (StatusCode::UNAUTHORIZED, challenge, "no entry\n".to_owned())
        }
        path if PATHS.contains(&path) => return None,
        _ => (StatusCode::NOT_FOUND, plain, "no such path\n".to_owned()),
    };
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(extra.0, header::HeaderValue::from_static(extra.1));
    Some(response)
}

fn query(uri: &Uri) -> HashMap<String, String> {
    url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect()
}

fn number(query: &HashMap<String, String>, name: &str) -> Result<usize, Box<dyn Error + Send + Sync>> {
    Ok(query.get(name).ok_or_else(|| format!("no {name}"))?.parse()?)
}
