//! Routes: a handler for each path, with pages beside them.

mod params;
mod path;
mod serving;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::header::{ALLOW, UPGRADE};
use http::{HeaderValue, Method, Request, StatusCode};
use matchit::{Match, Router};
use ws_proto::Escaped;
use ws_proto::handshake::server::Rejection;

pub use self::params::PathParams;
use self::params::{captures, count};
use self::path::{normalized, pattern};
#[cfg(doc)]
use super::Listening;
use super::Server;
use super::hooks::Decision;
use crate::error::{HandlerResult, InvalidSetting};
use crate::handle::WebSocket;
use crate::runtime::Runtime;

/// Handlers for the paths of a server, with plain HTTP responses beside them. [`Server::routes`] takes them.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// use ws_session::http::Response;
/// use ws_session::{Bytes, HandlerResult, Routes, Runtime, Server, WebSocket};
///
/// async fn serve<R: Runtime>() -> Result<(), Box<dyn std::error::Error>> {
///     let visitors = Arc::new(AtomicUsize::new(0));
///     let routes = Routes::new()
///         .get("/health", |_request| Response::new(Bytes::from("OK\n")))
///         .websocket("/echo", echo)
///         // More arguments are captured by a closure.
///         .websocket_with("/chat/{room}", move |ws, room: String| chat(ws, room, Arc::clone(&visitors)))
///         .websocket_with("/seat/{row}/{number}", |ws, (row, number): (char, u32)| async move {
///             ws.send(format!("row {row}, seat {number}")).await?;
///             Ok(())
///         });
///     Server::<R>::new().routes(routes).bind("127.0.0.1:8765").await?.serve_routes().await?;
///     Ok(())
/// }
///
/// async fn echo(mut ws: WebSocket) -> HandlerResult {
///     while let Some(message) = ws.recv().await? {
///         ws.send(message).await?;
///     }
///     Ok(())
/// }
///
/// async fn chat(ws: WebSocket, room: String, visitors: Arc<AtomicUsize>) -> HandlerResult {
///     let number = visitors.fetch_add(1, Ordering::Relaxed) + 1;
///     ws.send(format!("Welcome to {room}, visitor {number}")).await?;
///     Ok(())
/// }
/// ```
///
/// # Paths
///
/// `{name}` stands for one segment, and `{*name}` at the end for all the rest. A fixed segment is preferred to a captured one.
/// `{{` and `}}` are the braces themselves. The query is not part of the path. The crate [matchit] finds the route.
///
/// A path may be written as text: `/größe` also stands for `/gr%C3%B6%C3%9Fe`, as clients send it. It makes no difference
/// whether a client encodes characters that need not be (RFC 3986 §6.2.2).
///
/// # Responses
///
/// | request | response |
/// | --- | --- |
/// | a path without a route, or a parameter that is not of the handler's type | 404 |
/// | a page, by another method than GET or HEAD | 405 |
/// | the path of a handler, without an upgrade or by another method than GET | 426 or 405 |
///
/// Folders of files are served by `Files` of `ws-tokio` (feature `files`), a hook that is added before the routes. The crate that
/// reads them needs tokio, so there is no such hook for other runtimes.
///
/// [matchit]: https://docs.rs/matchit
#[derive(Default)]
#[must_use = "a server takes them"]
pub struct Routes {
    /// With their paths, in the order in which they were added.
    routes: Vec<(String, Route)>,
    mistake: Option<String>,
}

#[derive(Clone, Default)]
struct Route {
    websocket: Option<Handler>,
    page: Option<Page>,
}

/// A handler of connections.
#[derive(Clone)]
struct Handler {
    /// Whether these captures are of its types. The error is the index of the first that is not.
    check: fn(&[String]) -> Result<(), usize>,
    run: Arc<Run>,
}

type Run = dyn Fn(WebSocket, &[String]) -> Running + Send + Sync;

type Page = Arc<dyn Fn(&Request<()>) -> Decision + Send + Sync>;

/// A handler at work.
type Running = Pin<Box<dyn Future<Output = HandlerResult> + Send>>;

impl Routes {
    /// No routes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs this handler for the connections of a path. See [`Listening::serve`] for its result.
    pub fn websocket<H, F>(self, path: &str, handler: H) -> Self
    where
        H: Fn(WebSocket) -> F + Send + Sync + 'static,
        F: Future<Output = HandlerResult> + Send + 'static,
    {
        self.add_handler::<()>(path, false, move |socket, ()| Box::pin(handler(socket)))
    }

    /// Runs this handler for the connections of a path with captures. It gets their values as its second argument: a `String`,
    /// a number, or a tuple of types that implement [`FromStr`](std::str::FromStr). See [`PathParams`].
    ///
    /// A value that is not of its type is answered with 404. A handler with more or fewer parameters than its path is
    /// reported when the server starts.
    pub fn websocket_with<P, H, F>(self, path: &str, handler: H) -> Self
    where
        P: PathParams,
        H: Fn(WebSocket, P) -> F + Send + Sync + 'static,
        F: Future<Output = HandlerResult> + Send + 'static,
    {
        self.add_handler::<P>(path, true, move |socket, params| Box::pin(handler(socket, params)))
    }

    /// Responds to GET and HEAD requests for a path: a page, or a health check. The function's output is as that of
    /// [`Server::on_request`]. If it lets the request go on, the request is treated as one for a WebSocket,
    /// or gets 404 if the path has no handler.
    ///
    /// A path may have a page and a handler. Then the handler gets the requests that ask for a WebSocket.
    pub fn get<D: Into<Decision>>(
        mut self,
        path: &str,
        page: impl Fn(&Request<()>) -> D + Send + Sync + 'static,
    ) -> Self {
        let route = self.at(path);
        if route.page.is_some() {
            self.mistake.get_or_insert(format!("two pages have the path {path:?}"));
        } else {
            route.page = Some(Arc::new(move |request| page(request).into()));
        }
        self
    }

    fn add_handler<P: PathParams>(
        mut self,
        path: &str,
        counts: bool,
        run: impl Fn(WebSocket, P) -> Running + Send + Sync + 'static,
    ) -> Self {
        let (captured, taken) = (count(path), P::COUNT);
        if counts && captured != taken {
            self.mistake
                .get_or_insert(format!("the path {path:?} has {captured} captures, and its handler takes {taken}"));
        }
        let run = move |socket, values: &[String]| -> Running {
            match P::parse(values) {
                Ok(params) => run(socket, params),
                // The request was refused.
                Err(_) => Box::pin(async { Ok(()) }),
            }
        };
        let route = self.at(path);
        if route.websocket.is_some() {
            self.mistake.get_or_insert(format!("two handlers have the path {path:?}"));
        } else {
            route.websocket = Some(Handler { check: |values| P::parse(values).map(drop), run: Arc::new(run) });
        }
        self
    }

    fn at(&mut self, path: &str) -> &mut Route {
        let place = self.routes.iter().position(|(other, _)| other == path).unwrap_or_else(|| {
            self.routes.push((path.to_owned(), Route::default()));
            self.routes.len() - 1
        });
        &mut self.routes[place].1
    }

    fn build(self) -> Result<RouteTable, String> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        let mut router = Router::new();
        for (path, route) in self.routes {
            router.insert(pattern(&path), route).map_err(|error| format!("invalid route {path:?}: {error}"))?;
        }
        Ok(RouteTable { router })
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.routes.iter().map(|(path, _)| path)).finish()
    }
}

/// Routes that are ready to be looked up.
pub(crate) struct RouteTable {
    router: Router<Route>,
}

impl RouteTable {
    fn decide(&self, request: &Request<()>) -> Decision {
        let path = normalized(request.uri().path());
        let Ok(Match { value: route, params }) = self.router.at(&path) else {
            return not_found();
        };
        if let Some(page) = route.page.as_ref().filter(|_| route.websocket.is_none() || !asks_for_websocket(request)) {
            if *request.method() == Method::GET || *request.method() == Method::HEAD {
                return match page(request) {
                    decision if decision.proceeds() && route.websocket.is_none() => not_found(),
                    decision => decision,
                };
            }
            let rejection = Rejection::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "This path only has a page. The method must be GET or HEAD.",
            );
            return rejection.with_header(ALLOW, HeaderValue::from_static("GET, HEAD")).into();
        }
        let Some(handler) = &route.websocket else { return Decision::proceed() };
        let wrong = match captures(&params) {
            Ok(values) => (handler.check)(&values).err(),
            Err(index) => Some(index),
        };
        match wrong.and_then(|index| params.iter().nth(index)) {
            None => Decision::proceed(),
            Some((name, value)) => {
                let message =
                    format!("There is nothing at this path: its {name} cannot be {:?}.", Escaped(value).to_string());
                Decision::reject(StatusCode::NOT_FOUND, message)
            }
        }
    }

    fn run(&self, socket: WebSocket) -> Running {
        let path = normalized(socket.path());
        let found = self.router.at(&path).ok().and_then(|Match { value: route, params }| {
            Some((Arc::clone(&route.websocket.as_ref()?.run), captures(&params).ok()?))
        });
        drop(path);
        match found {
            Some((run, values)) => run(socket, &values),
            None => Box::pin(async { Err("no route has a handler for this path".into()) }),
        }
    }
}

fn not_found() -> Decision {
    Decision::reject(StatusCode::NOT_FOUND, "There is nothing at this path.")
}

/// Whether a request asks for a WebSocket, be it well-formed or not.
fn asks_for_websocket(request: &Request<()>) -> bool {
    let names_it =
        |value: &HeaderValue| value.as_bytes().to_ascii_lowercase().windows(9).any(|name| name == b"websocket");
    *request.method() == Method::CONNECT || request.headers().get_all(UPGRADE).iter().any(names_it)
}

impl<R: Runtime> Server<R> {
    /// Accepts connections for the paths of these routes only, and serves their pages. [`Listening::serve_routes`] runs their
    /// handlers.
    ///
    /// The look-up is a hook: it takes its turn among those of [`on_request`](Self::on_request), in the order in which they
    /// were added. So [authentication](Self::basic_auth) that is set before it also applies to the pages.
    ///
    /// Invalid paths, two handlers for one path, and a handler with more or fewer parameters than its path are reported when
    /// the server starts ([`InvalidSetting::Routes`]).
    #[must_use]
    pub fn routes(mut self, routes: Routes) -> Self {
        match routes.build() {
            Ok(table) => {
                let table = Arc::new(table);
                self.settings.routes = Some(Arc::clone(&table));
                self.on_request(move |request| table.decide(request))
            }
            Err(mistake) => {
                self.mistake(InvalidSetting::Routes(mistake));
                self
            }
        }
    }

    /// Runs the handler of the connection's path, for a connection that was not accepted by [`Listening::serve_routes`]: by
    /// [`accept`](Self::accept), for example, or on a connection of another HTTP server.
    ///
    /// # Errors
    ///
    /// Those of the handler. If the server has no [`routes`](Self::routes), or none for this path.
    pub fn run_route(&self, socket: WebSocket) -> impl Future<Output = HandlerResult> + Send + use<R> {
        match &self.settings.routes {
            Some(table) => table.run(socket),
            None => Box::pin(async { Err("the server has no routes".into()) }),
        }
    }
}
