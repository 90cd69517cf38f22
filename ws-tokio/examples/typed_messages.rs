//! Messages of one type in three formats: JSON, MessagePack and Protobuf. The subprotocol that a client asks for chooses one:
//! `json` (also without a subprotocol), `msgpack` or `protobuf`.
//!
//! A task such as `{"number":60}` is answered with `{"number":60,"factors":[2,2,3,5]}`. The work takes processor time, so it
//! runs on tokio's pool of blocking threads. Pings are answered meanwhile.
//!
//! With a single format, `WebSocket::typed` needs less code (features `json` and `messagepack`).
//!
//! Run: `cargo run -p ws-tokio --example typed_messages [ADDRESS]`, by default at `127.0.0.1:8765`. Then run
//! `cargo run -p ws-tokio --example chat_client`, and type a task.

use std::error::Error;

use prost::Message as _;
use serde::{Deserialize, Serialize};
use tokio::signal::ctrl_c;
use tokio::task::spawn_blocking;
use ws_tokio::{BoxError, CloseCode, HandlerResult, Message, Server, WebSocket};

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
struct Task {
    #[prost(uint64, tag = "1")]
    number: u64,
}

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
struct Answer {
    #[prost(uint64, tag = "1")]
    number: u64,
    #[prost(uint64, repeated, tag = "2")]
    factors: Vec<u64>,
}

#[derive(Clone, Copy)]
enum Format {
    Json,
    MessagePack,
    Protobuf,
}

impl Format {
    fn of(ws: &WebSocket) -> Self {
        match ws.subprotocol() {
            Some("msgpack") => Self::MessagePack,
            Some("protobuf") => Self::Protobuf,
            _ => Self::Json,
        }
    }

    fn decode(self, message: &Message) -> Result<Task, BoxError> {
        let bytes = message.as_bytes();
        Ok(match self {
            Self::Json => serde_json::from_slice(bytes)?,
            Self::MessagePack => rmp_serde::from_slice(bytes)?,
            Self::Protobuf => Task::decode(bytes)?,
        })
    }

    fn encode(self, answer: &Answer) -> Result<Message, BoxError> {
        Ok(match self {
            Self::Json => serde_json::to_string(answer)?.into(), // a text message; the others are binary
            Self::MessagePack => rmp_serde::to_vec_named(answer)?.into(),
            Self::Protobuf => answer.encode_to_vec().into(),
        })
    }
}

fn work(Task { number }: Task) -> Answer {
    let (mut factors, mut rest, mut divisor) = (Vec::new(), number, 2);
    while rest > 1 {
        if divisor > rest / divisor {
            divisor = rest; // The rest is a prime number.
        }
        if rest.is_multiple_of(divisor) {
            factors.push(divisor);
            rest /= divisor;
        } else {
            divisor += 1;
        }
    }
    Answer { number, factors }
}

async fn serve(mut ws: WebSocket) -> HandlerResult {
    let format = Format::of(&ws);
    while let Some(message) = ws.recv().await? {
        match format.decode(&message) {
            Ok(task) => ws.send(format.encode(&spawn_blocking(|| work(task)).await?)?).await?,
            Err(error) => {
                println!("not a task: {error}");
                ws.close(CloseCode::INVALID_DATA, "not a task").await?;
                break;
            }
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    let listening = Server::new().subprotocols(["json", "msgpack", "protobuf"]).bind(address).await?;
    println!("Listening at ws://{}; Ctrl-C stops it.", listening.local_addr()?);
    listening.serve_until(serve, ctrl_c()).await?;
    Ok(())
}
