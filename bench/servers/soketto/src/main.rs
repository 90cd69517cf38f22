//! soketto as its examples/autobahn_server.rs shows it, with that file's buffers.

use std::io;

use futures_util::io::{BufReader, BufWriter};
use host::{Job, Task};
use soketto::connection::Error;
use soketto::extension::deflate::Deflate;
use soketto::handshake::Server;
use soketto::handshake::server::Response;
use soketto::{BoxedError, Data, Mode};
use tokio::net::TcpStream;
use tokio_util::compat::TokioAsyncReadCompatExt;

fn main() -> io::Result<()> {
    host::run(async |job: Job| match job.task {
        Task::Echo => host::serve(move |stream| echo(stream, job)).await,
        // It compresses each message on its own, and cannot read others.
        Task::Deflate { takeover: false } => host::serve(move |stream| echo(stream, job)).await,
        _ => job.unsupported(),
    })
}

async fn echo(stream: TcpStream, job: Job) -> Result<(), BoxedError> {
    let stream = BufReader::with_capacity(8 * 1024, BufWriter::with_capacity(16 * 1024, stream.compat()));
    let mut server = Server::new(stream);
    if job.task != Task::Echo {
        server.add_extension(Box::new(Deflate::new(Mode::Server)));
    }
    let key = server.receive_request().await?.key();
    server.send_response(&Response::Accept { key, protocol: None }).await?;
    let (mut sender, mut receiver) = server.into_builder().finish();
    let mut message = Vec::new();
    loop {
        message.clear();
        match receiver.receive_data(&mut message).await {
            Ok(Data::Binary(_)) => sender.send_binary_mut(&mut message).await?,
            Ok(Data::Text(_)) => sender.send_text(std::str::from_utf8(&message)?).await?,
            Err(Error::Closed) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        sender.flush().await?;
    }
}
