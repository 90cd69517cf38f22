//! Who is here: members with names, however many connections each of them has.
//!
//! Run: `cargo run -p ws-hub --example presence [ADDRESS]`, by default at `127.0.0.1:8765`. Then, in several terminals:
//! `ws connect 'ws://127.0.0.1:8765?id=1&name=Ada'`
//!
//! A member leaves three seconds after its last connection, so that the reload of a page is no leave.

use std::error::Error;
use std::time::Duration;

use tokio::signal::ctrl_c;
use ws_hub::{Hub, Member, PresenceEvent};
use ws_tokio::{CloseCode, HandlerResult, Server, Tokio, WebSocket};

async fn room(hub: Hub, ws: WebSocket) -> HandlerResult {
    let (id, name) = (ws.query("id").unwrap_or_default(), ws.query("name").unwrap_or_default());
    let member = match Member::new(&*id, &*name) {
        Ok(member) if !id.is_empty() => member,
        Ok(_) => {
            return Ok(ws.close(CloseCode::POLICY_VIOLATION, "an id is needed: ?id=1&name=Ada").await.map(drop)?);
        }
        // Too long.
        Err(error) => return Ok(ws.close(CloseCode::POLICY_VIOLATION, &error.to_string()).await.map(drop)?),
    };
    let room = hub.presence("room").await?;
    // Dropping it leaves, unless another connection has the same ID.
    let _joined = room.join(member);
    let mut watch = room.watch();
    let ws = ws.send_only();
    loop {
        let event = tokio::select! {
            event = watch.next() => event,
            _ = ws.closed() => return Ok(()),
        };
        ws.send(match event {
            PresenceEvent::Members(members) => {
                let names: Vec<&str> = members.iter().map(|member| &*member.data).collect();
                format!("here: {}", names.join(", "))
            }
            PresenceEvent::Joined(member) => format!("+ {}", &*member.data),
            PresenceEvent::Changed(member) => format!("= {}", &*member.data),
            PresenceEvent::Left(member) => format!("- {}", &*member.data),
            _ => continue,
        })
        .await?;
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    let hub = Hub::builder().presence_grace(Duration::from_secs(3)).start::<Tokio>();
    let listening = Server::new().bind(address).await?;
    println!("Listening at ws://{}; Ctrl-C stops it.", listening.local_addr()?);
    listening.serve_until(move |ws| room(hub.clone(), ws), ctrl_c()).await?;
    Ok(())
}
