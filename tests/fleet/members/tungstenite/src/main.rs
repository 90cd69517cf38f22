//! An echo of tungstenite's, both roles: see `tests/fleet/README.md`.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::CloseFrame;
use tungstenite::{Error, Message, WebSocket};

fn close_frame(code: u16, reason: &str) -> Option<CloseFrame> {
    (code != 1005).then(|| CloseFrame { code: CloseCode::from(code), reason: reason.into() })
}

/// Echoes until the end; returns the peer's Close.
fn echo<S: Read + Write>(ws: &mut WebSocket<S>, stopping: &AtomicBool) -> Option<(u16, String)> {
    let mut end = None;
    let mut said = false;
    loop {
        match ws.read() {
            Ok(Message::Text(text)) if text.starts_with("close ") => {
                let mut words = text.splitn(3, ' ').skip(1);
                let code = words.next().and_then(|code| code.parse().ok()).unwrap_or(1005);
                let _ = ws.close(close_frame(code, words.next().unwrap_or_default()));
            }
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => {
                let _ = ws.send(message);
            }
            Ok(Message::Close(frame)) => {
                end = Some(frame.map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.to_string())));
            }
            Ok(_) => {}
            Err(Error::Io(error)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if stopping.load(Ordering::Relaxed) && !said {
                    said = true;
                    let _ = ws.close(close_frame(1001, ""));
                }
            }
            Err(_) => return end,
        }
    }
}

fn admit(request: &Request, response: Response) -> Result<Response, ErrorResponse> {
    if request.uri().path() != "/refuse" {
        return Ok(response);
    }
    let mut refusal = ErrorResponse::new(Some("not today\n".to_owned()));
    *refusal.status_mut() = tungstenite::http::StatusCode::FORBIDDEN;
    Err(refusal)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let stopping = Arc::new(AtomicBool::new(false));
    if arguments[1] == "client" {
        match tungstenite::connect(&arguments[2]) {
            Ok((mut ws, _)) => match echo(&mut ws, &stopping) {
                Some((code, reason)) => println!("closed {code} {reason}"),
                None => println!("closed 1006"),
            },
            Err(Error::Http(response)) => println!("refused {}", response.status()),
            Err(error) => println!("failed {error}"),
        }
        return Ok(());
    }
    signal_hook::flag::register(signal_hook::consts::SIGTERM, Arc::clone(&stopping))?;
    let listener = TcpListener::bind(format!("127.0.0.1:{}", arguments[2]))?;
    let ending = Arc::clone(&stopping);
    std::thread::spawn(move || loop {
        std::thread::sleep(Duration::from_millis(50));
        if ending.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(700));
            std::process::exit(0);
        }
    });
    for stream in listener.incoming() {
        let stopping = Arc::clone(&stopping);
        std::thread::spawn(move || {
            let Ok(stream) = stream else { return };
            if let Ok(mut ws) = tungstenite::accept_hdr(stream, admit) {
                let wait: &TcpStream = ws.get_ref();
                let _ = wait.set_read_timeout(Some(Duration::from_millis(100)));
                echo(&mut ws, &stopping);
            }
        });
    }
    Ok(())
}
