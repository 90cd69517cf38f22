//! Servers that run the handlers of their routes.

use std::future::Future;
use std::io;
use std::sync::Arc;

use super::RouteTable;
use crate::runtime::Runtime;
#[cfg(doc)]
use crate::server::Server;
use crate::server::settings::ServerSettings;
use crate::server::{Listening, Workers};

impl<R: Runtime> Listening<R> {
    /// Serves the [routes](Server::routes) of the server, as [`serve`](Self::serve) does.
    ///
    /// # Errors
    ///
    /// If the server has no routes ([`InvalidInput`](io::ErrorKind::InvalidInput)).
    pub async fn serve_routes(self) -> io::Result<()> {
        let table = self.route_table()?;
        self.serve(move |socket| table.run(socket)).await
    }

    /// Serves the [routes](Server::routes) of the server until the future `shutdown` is ready, as
    /// [`serve_until`](Self::serve_until) does.
    ///
    /// # Errors
    ///
    /// The same as [`serve_routes`](Self::serve_routes).
    pub async fn serve_routes_until(self, shutdown: impl Future) -> io::Result<()> {
        let table = self.route_table()?;
        self.serve_until(move |socket| table.run(socket), shutdown).await
    }

    fn route_table(&self) -> io::Result<Arc<RouteTable>> {
        self.settings().route_table()
    }
}

impl<R: Runtime> Workers<R> {
    /// Serves the [routes](Server::routes) of the server, as [`serve`](Self::serve) does.
    ///
    /// # Errors
    ///
    /// Those of [`serve`](Self::serve), and if the server has no routes ([`InvalidInput`](io::ErrorKind::InvalidInput)).
    pub async fn serve_routes(self) -> io::Result<()> {
        let table = self.route_table()?;
        self.serve(move |socket| table.run(socket)).await
    }

    /// Serves the [routes](Server::routes) of the server until the future `shutdown` is ready, as
    /// [`serve_until`](Self::serve_until) does.
    ///
    /// # Errors
    ///
    /// The same as [`serve_routes`](Self::serve_routes).
    pub async fn serve_routes_until(self, shutdown: impl Future) -> io::Result<()> {
        let table = self.route_table()?;
        self.serve_until(move |socket| table.run(socket), shutdown).await
    }

    fn route_table(&self) -> io::Result<Arc<RouteTable>> {
        self.settings().route_table()
    }
}

impl ServerSettings {
    fn route_table(&self) -> io::Result<Arc<RouteTable>> {
        let no_routes = || io::Error::new(io::ErrorKind::InvalidInput, "the server has no routes (Server::routes)");
        self.routes.clone().ok_or_else(no_routes)
    }
}
