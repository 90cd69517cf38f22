//! [`Files`]: a folder of files beside the WebSockets of a server.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use http_body_util::{BodyExt, Empty};
use tower_http::services::ServeDir;
use ws_session::http::header::{CONTENT_LENGTH, LOCATION, UPGRADE};
use ws_session::http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use ws_session::{BoxError, Bytes, Decision, http};

/// The default of [`Files::max_bytes`].
const MAX_BYTES: u64 = 1 << 20;

/// Serves the files of a folder: the pages, scripts and images of an application, on the port of its WebSockets. The crate
/// [tower-http] finds and reads them.
///
/// ```no_run
/// use ws_tokio::{Files, Server};
///
/// #[tokio::main]
/// async fn main() -> std::io::Result<()> {
///     let files = Files::new("/static", "public");
///     let server = Server::new().on_request_async(files.hook()).bind("127.0.0.1:8765").await?;
///     server
///         .serve(|mut ws| async move {
///             while let Some(message) = ws.recv().await? {
///                 ws.send(message).await?;
///             }
///             Ok(())
///         })
///         .await
/// }
/// ```
///
/// # Requests and responses
///
/// GET and HEAD are answered; another method gets 405. A request that asks for a WebSocket goes on, so a path can have both.
/// `Range`, `If-None-Match`, `If-Modified-Since` and others are obeyed; responses have an `ETag`. The type is known by
/// the file's extension. A folder is answered with its `index.html`, and there are no listings. What does not exist or cannot be
/// read is 404. Another failure to read is logged, and the response is 500.
///
/// Each response closes its connection, as all responses do that open no WebSocket. So this is for a few small files.
/// A proxy or a CDN serves many files better, and so does axum (the module `axum`, with tower-http).
///
/// # Security
///
/// No request leads out of the folder: a path with `..`, percent-encoded or not, is 404. A file has one path: `.`, empty parts of
/// a path and characters that are encoded without need (`%61`) are 404, too, so that a hook before can guard a part of the
/// folder by the path that it sees. Symbolic links
/// are followed, wherever they lead. Files whose names begin with a dot are served, too. So let the folder have nothing but
/// what everybody may read, and let nobody else write to it.
///
/// A hook that was added before sees the requests first: [authentication](crate::Server::basic_auth) applies to the files if it
/// was set before.
///
/// # Memory
///
/// A file is in memory while it is sent, twice for a moment. [`max_bytes`](Self::max_bytes) limits its size. Longer files can be
/// had in parts (`Range`). [`Server::max_handshakes`](ws_session::Server::max_handshakes) limits how many are sent at a time, over
/// HTTP/1.1 and HTTP/2: with the defaults, 1,024 of 1 MiB.
///
/// [tower-http]: https://docs.rs/tower-http
/// [`Server`]: crate::Server
#[derive(Clone, Debug)]
#[must_use = "a server takes its hook"]
pub struct Files {
    /// Without a slash at its end.
    prefix: String,
    folder: ServeDir,
    max_bytes: u64,
}

impl Files {
    /// The files in `folder` and below, under the path `prefix`: `/static/app.js` is `app.js`. With `/`, under all paths.
    ///
    /// The folder is relative to the current one of the process. It is not looked at before the first request.
    pub fn new(prefix: &str, folder: impl AsRef<Path>) -> Self {
        let prefix = match prefix.trim_matches('/') {
            "" => String::new(),
            prefix => format!("/{prefix}"),
        };
        let folder = ServeDir::new(folder).redirect_path_prefix(prefix.clone());
        Self { prefix, folder, max_bytes: MAX_BYTES }
    }

    /// Limits the size of a response in bytes. Default 1 MiB. A longer file, or part of a file, is refused with 403 and a
    /// text that says so.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// The hook for [`Server::on_request_async`](ws_session::Server::on_request_async).
    pub fn hook(self) -> impl Fn(Arc<Request<()>>) -> Deciding + Send + Sync + 'static {
        let files = Arc::new(self);
        move |request| {
            let files = Arc::clone(&files);
            Box::pin(async move { files.decide(&request).await })
        }
    }

    /// Decides on a request: with a file, a refusal, or, if the request is for another path or a WebSocket,
    /// [`Decision::proceed`]. For use within a hook of your own.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, although it exists and may be read.
    pub async fn decide(&self, request: &Request<()>) -> Result<Decision, BoxError> {
        let path = request.uri().path();
        let Some(rest) = path.strip_prefix(&*self.prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'))
        else {
            return Ok(Decision::proceed());
        };
        if asks_for_websocket(request) {
            return Ok(Decision::proceed());
        }
        let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
        if rest.is_empty() {
            return moved(&format!("{path}/{query}"));
        }
        if !is_plain(rest) {
            return Ok(not_found());
        }
        let Ok(uri) = format!("{rest}{query}").parse::<Uri>() else { return Ok(not_found()) };
        let mut wanted = Request::new(Empty::<Bytes>::new());
        *wanted.method_mut() = request.method().clone();
        *wanted.uri_mut() = uri;
        *wanted.headers_mut() = request.headers().clone();
        let response = match self.folder.clone().try_call(wanted).await {
            Ok(response) if response.status() == StatusCode::NOT_FOUND => return Ok(not_found()),
            Ok(response) => response,
            Err(error) if is_not_there(&error) => return Ok(not_found()),
            Err(error) => return Err(error.into()),
        };
        if *request.method() == Method::HEAD {
            return Ok(Decision::respond(response.map(|_| Bytes::new())));
        }
        self.collect(response).await
    }

    async fn collect<B>(&self, response: Response<B>) -> Result<Decision, BoxError>
    where
        B: BodyExt<Data = Bytes, Error: Into<BoxError>> + Unpin,
    {
        let (mut head, mut body) = response.into_parts();
        // What it says is not what is read, if the file changes in between.
        let told = head.headers.remove(CONTENT_LENGTH);
        let told = told.and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(0);
        let mut bytes = Vec::with_capacity(usize::try_from(told.min(self.max_bytes)).unwrap_or(0));
        if told > self.max_bytes {
            return Ok(self.too_long());
        }
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(Into::into)?.into_data() else { continue };
            if (bytes.len() + data.len()) as u64 > self.max_bytes {
                return Ok(self.too_long());
            }
            bytes.extend_from_slice(&data);
        }
        // That of a 304 would be the length of the file (RFC 9110 §8.6).
        if head.status != StatusCode::NOT_MODIFIED {
            head.headers.insert(CONTENT_LENGTH, bytes.len().into());
        }
        Ok(Decision::respond(Response::from_parts(head, Bytes::from(bytes))))
    }

    fn too_long(&self) -> Decision {
        let most = self.max_bytes;
        let text =
            format!("This server sends at most {most} bytes of a file at a time. Ask for a part of it with Range.");
        Decision::reject(StatusCode::FORBIDDEN, text)
    }
}

/// Whether a path is the only one of its file: without `.`, `..` and empty parts, and without encoded characters that need not be
/// (RFC 3986 §2.3), or that would part it.
fn is_plain(path: &str) -> bool {
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        if part == "." || part == ".." || (part.is_empty() && parts.peek().is_some()) {
            return false;
        }
    }
    path.split('%').skip(1).all(|piece| {
        let byte = piece.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        byte.is_some_and(|byte| !byte.is_ascii_alphanumeric() && !b"-._~/\\".contains(&byte))
    })
}

/// A decision that takes time.
type Deciding = Pin<Box<dyn Future<Output = Result<Decision, BoxError>> + Send>>;

fn asks_for_websocket(request: &Request<()>) -> bool {
    let names_it = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"websocket");
    *request.method() == Method::CONNECT || request.headers().get_all(UPGRADE).iter().any(names_it)
}

/// Whether there is no such file, or none that may be read.
fn is_not_there(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound, PermissionDenied};

    matches!(error.kind(), NotFound | PermissionDenied | NotADirectory | InvalidFilename)
}

fn not_found() -> Decision {
    Decision::reject(StatusCode::NOT_FOUND, "There is no such file.")
}

fn moved(location: &str) -> Result<Decision, BoxError> {
    let response = http::Response::builder().status(StatusCode::TEMPORARY_REDIRECT).header(LOCATION, location);
    Ok(Decision::respond(response.body(Bytes::new())?))
}
