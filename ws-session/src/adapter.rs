//! [`adapter!`](crate::adapter!): the names that every adapter has.

/// Defines the names that every adapter has beside its [`Runtime`](crate::Runtime): `Server`, `Listening`, `Workers` and `Client`, the
/// functions `connect`, `serve` and `accept`, and the parts of connections. So a program changes its runtime by changing the name of a crate.
///
/// Its arguments are the runtime, a type whose `new` makes a [`Transport`](crate::Transport) of a stream, and the bounds of
/// such streams: `ws_session::adapter!(Tokio, TokioIo, AsyncRead + AsyncWrite);`
#[macro_export]
macro_rules! adapter {
    ($runtime:ident, $io:ident, $($stream:tt)+) => {
        #[doc = concat!("A server on [`", stringify!($runtime), "`]. See [`ws_session::Server`].")]
        pub type Server = $crate::Server<$runtime>;

        #[doc = concat!("A server on [`", stringify!($runtime), "`] that listens. See [`ws_session::Listening`].")]
        pub type Listening = $crate::Listening<$runtime>;

        #[doc = concat!("A server on several threads, each with a [`", stringify!($runtime), "`] of its own. See [`ws_session::Workers`].")]
        pub type Workers = $crate::Workers<$runtime>;

        #[doc = concat!("A client on [`", stringify!($runtime), "`]. See [`ws_session::Client`].")]
        pub type Client = $crate::Client<$runtime>;

        /// Connects to a `ws://` or `wss://` URL with the default settings. [`Client`] has other settings. The URL is a
        /// `&str` or any other string type.
        ///
        /// Close the connection before the program ends, or flush it: see [`Client::connect`].
        ///
        /// # Errors
        ///
        /// The same as [`Client::connect`].
        pub fn connect(
            url: impl AsRef<str>,
        ) -> impl ::std::future::Future<Output = ::std::result::Result<$crate::WebSocket, $crate::ConnectError>> + Send
        {
            Client::new(url).connect()
        }

        /// Listens on `address` and runs `handler` for each connection, with the default settings, until the future is
        /// dropped. [`serve_until`] adds a shutdown, and [`Server`] has other settings.
        ///
        /// A handler that returns nothing, or another error than [`BoxError`](crate::BoxError), must be wrapped:
        /// `serve(address, handler(greet))` with an `async fn greet(ws: WebSocket)`, or
        /// `serve(address, handler(|ws| async move { … }))`. See [`handler`](crate::handler()).
        ///
        /// # Errors
        ///
        /// If the address cannot be bound. The error names the address. It carries a [`ServeError`]
        /// ([`std::io::Error::get_ref`]).
        pub async fn serve<H, F>(
            address: impl ::std::net::ToSocketAddrs,
            handler: H,
        ) -> ::std::io::Result<()>
        where
            H: Fn($crate::WebSocket) -> F + Send + Sync + 'static,
            F: ::std::future::Future<Output = $crate::HandlerResult> + Send + 'static, // wrap others: handler(…)
        {
            Server::new().bind(address).await?.serve(handler).await
        }

        /// Serves as [`serve`] does until `shutdown` is ready. Then the server accepts no more connections, closes the open
        /// ones with 1001, and waits for their handlers ([`Listening::serve_until`]). The output of `shutdown` is ignored.
        ///
        /// # Errors
        ///
        /// The same as [`serve`].
        pub async fn serve_until<H, F>(
            address: impl ::std::net::ToSocketAddrs,
            handler: H,
            shutdown: impl ::std::future::Future,
        ) -> ::std::io::Result<()>
        where
            H: Fn($crate::WebSocket) -> F + Send + Sync + 'static,
            F: ::std::future::Future<Output = $crate::HandlerResult> + Send + 'static, // wrap others: handler(…)
        {
            Server::new().bind(address).await?.serve_until(handler, shutdown).await
        }

        /// Does a server's opening handshake on a stream, with the default settings, and spawns a task that moves the
        /// connection's bytes. Use [`Server::accept`] for other settings, or to run the driver beside a handler.
        ///
        /// # Errors
        ///
        /// The same as [`Server::accept`].
        pub async fn accept<S>(stream: S) -> ::std::result::Result<$crate::WebSocket, $crate::AcceptError>
        where
            S: $($stream)+ + Unpin + Send + 'static,
        {
            let (socket, driver) = Server::new().accept($io::new(stream), $crate::Addresses::default()).await?;
            driver.spawn::<$runtime>();
            Ok(socket)
        }

        /// A connection over a stream, without a task: it moves bytes while it is polled. See
        /// [`ws_session::WebSocketStream`].
        pub type WebSocketStream<S> = $crate::WebSocketStream<$io<S>, <$runtime as $crate::Runtime>::Timer>;

        /// A client's connection without a task: it moves bytes while it is polled. See
        /// [`ws_session::Client::connect_stream`].
        pub type ClientStream = $crate::WebSocketStream<
            $crate::MaybeTls<<$runtime as $crate::Runtime>::Stream>,
            <$runtime as $crate::Runtime>::Timer,
        >;

        /// Connects to a `ws://` or `wss://` URL with the default settings, without a task: the connection moves bytes while
        /// it is polled. [`Client::connect_stream`] has other settings.
        ///
        /// # Errors
        ///
        /// The same as [`Client::connect`].
        pub fn connect_stream(
            url: impl AsRef<str>,
        ) -> impl ::std::future::Future<Output = ::std::result::Result<ClientStream, $crate::ConnectError>> + Send
        {
            Client::new(url).connect_stream()
        }

        /// Does a server's opening handshake on a stream, with the default settings, without a task: the connection moves
        /// bytes while it is polled. [`Server::accept_stream`] has other settings.
        ///
        /// # Errors
        ///
        /// The same as [`Server::accept`].
        pub async fn accept_stream<S>(stream: S) -> ::std::result::Result<WebSocketStream<S>, $crate::AcceptError>
        where
            S: $($stream)+ + Unpin + Send + 'static,
        {
            Server::new().accept_stream($io::new(stream), $crate::Addresses::default()).await
        }

        /// The parts of a connection over a stream, with this adapter's timer. See [`ws_session::Parts`].
        pub type Parts<S> = $crate::Parts<$io<S>, <$runtime as $crate::Runtime>::Timer>;

        /// The parts of a server's connection over a stream, after an opening handshake that other code has done.
        pub fn server_parts<S>(stream: S) -> Parts<S>
        where
            S: $($stream)+ + Unpin + 'static,
        {
            $crate::Parts::server($io::new(stream), <$runtime as $crate::Runtime>::timer())
        }

        /// The parts of a client's connection over a stream, after an opening handshake that other code has done.
        pub fn client_parts<S>(stream: S) -> Parts<S>
        where
            S: $($stream)+ + Unpin + 'static,
        {
            $crate::Parts::client($io::new(stream), <$runtime as $crate::Runtime>::timer())
        }
    };
}
