//! A server behind nginx, which sees the addresses of its clients and not only that of nginx. This is a complete configuration
//! of nginx for port 8080:
//!
//! ```nginx
//! events {}
//! http {
//!     map $http_upgrade $connection_upgrade {
//!         default upgrade;
//!         ''      close;
//!     }
//!     server {
//!         listen 8080;
//!         location / {
//!             proxy_pass http://127.0.0.1:8765;
//!             proxy_http_version 1.1;
//!             proxy_set_header Upgrade $http_upgrade;
//!             proxy_set_header Connection $connection_upgrade;
//!             proxy_set_header Host $http_host;
//!             proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
//!             # The server's pings, every 20 s, keep idle connections open.
//!             proxy_read_timeout 60s;
//!         }
//!     }
//! }
//! ```
//!
//! Run: `cargo run -p ws-tokio --example behind_nginx [ADDRESS]`, by default at `127.0.0.1:8765`. Write the configuration to a
//! file, and run `nginx -g 'daemon off;' -c /path/of/the/file`. Then, also from another machine:
//! `cargo run -p ws-tokio --example chat_client ws://127.0.0.1:8080`.

use std::error::Error;

use tokio::signal::ctrl_c;
use ws_tokio::{HandlerResult, Server, WebSocket};

async fn tell_address(mut ws: WebSocket) -> HandlerResult {
    let client = ws.client_ip().ok_or("a TCP connection has an address")?;
    let proxy = ws.peer_addr().ok_or("a TCP connection has an address")?.ip();
    println!("{client} has connected through {proxy}");
    ws.send(format!("You are {client}.")).await?;
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    // Anyone can send `X-Forwarded-For`. It counts only from these addresses.
    let server = Server::new().trusted_proxies(["127.0.0.1", "::1"]);
    let listening = server.bind(address).await?;
    println!("Listening at ws://{}; Ctrl-C stops it.", listening.local_addr()?);
    listening.serve_until(tell_address, ctrl_c()).await?;
    Ok(())
}
