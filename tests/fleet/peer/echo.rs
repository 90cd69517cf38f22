//! A server that echoes, and closes when it is told to: a member of the fleet of our own, behind which proxies stand.

use ws_tokio::{CloseCode, HandlerResult, WebSocket};

use crate::Failure;
use crate::meet::refusal;
use crate::settings::Settings;

pub(crate) async fn serve(port: &str, settings: Settings) -> Result<String, Failure> {
    let server = settings.server(false)?.on_request(|request| (request.uri().path() == "/refuse").then(refusal));
    let listening = server.bind(("127.0.0.1", port.parse::<u16>()?)).await?;
    let stop = stop_signal()?;
    println!("ready");
    listening.serve_until(echo, stop).await?;
    Ok("stopped".to_owned())
}

/// Ready when SIGTERM comes.
#[cfg(unix)]
fn stop_signal() -> std::io::Result<impl Future> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move { terminate.recv().await })
}

/// Ready at Ctrl-C.
#[cfg(not(unix))]
fn stop_signal() -> std::io::Result<impl Future> {
    Ok(tokio::signal::ctrl_c())
}

async fn echo(mut ws: WebSocket) -> HandlerResult {
    while let Some(message) = ws.recv().await? {
        let command = message.as_text().and_then(|text| text.strip_prefix("close ")).map(str::to_owned);
        if let Some(command) = command {
            let (code, reason) = command.split_once(' ').unwrap_or((&command, ""));
            ws.close(CloseCode::from(code.parse::<u16>()?), reason).await?;
            return Ok(());
        }
        ws.send(message).await?;
    }
    Ok(())
}
