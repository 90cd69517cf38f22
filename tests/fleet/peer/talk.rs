//! A client that is driven line by line, for protocols above WebSocket.
//!
//! Reads `text JSON-STRING`, `binary HEX`, `ping` and `close CODE REASON`. Prints `open SUBPROTOCOL`, `text JSON-STRING`,
//! `binary HEX`, `pong` and `closed CODE REASON`.

use std::fmt::Write as _;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use ws_tokio::{CloseCode, Message, Sender};

use crate::Failure;
use crate::settings::Settings;

pub(crate) async fn talk(url: &str, settings: Settings) -> Result<String, Failure> {
    let mut ws = settings.client(url, false)?.connect().await?;
    println!("open {}", ws.subprotocol().unwrap_or("-"));
    let sender = ws.sender();
    tokio::spawn(async move {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if let Err(error) = obey(&sender, &line).await {
                println!("error {error}");
            }
        }
        // Whatever drives this has ended.
        let _ = sender.close(CloseCode::NORMAL, "").await;
    });
    // An error ends the connection, and its outcome is printed.
    while let Ok(Some(message)) = ws.recv().await {
        match message.as_text() {
            Some(text) => println!("text {}", Value::from(text)),
            None => println!("binary {}", hex(message.as_bytes())),
        }
    }
    let outcome = ws.closed().await;
    println!("closed {} {}", u16::from(outcome.code()), outcome.reason());
    Ok(outcome.to_string())
}

async fn obey(sender: &Sender, line: &str) -> Result<(), Failure> {
    let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
    match command {
        "text" => {
            let text: String = serde_json::from_str(rest)?;
            sender.send(text).await?;
        }
        "binary" => sender.send(Message::from(bytes(rest)?)).await?,
        "ping" => {
            sender.ping().await?;
            println!("pong");
        }
        "close" => {
            let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
            sender.close(CloseCode::from(code.parse::<u16>()?), reason).await?;
        }
        other => return Err(format!("no command is called {other}").into()),
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn bytes(hex: &str) -> Result<Vec<u8>, Failure> {
    let digits = hex.trim().as_bytes().chunks(2);
    digits.map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?)).collect()
}
