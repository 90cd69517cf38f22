//! TLS: whose certificates are good enough, for us and for the server.

use ws_tokio::{ConnectError, TlsError};

use crate::servers::Servers;
use crate::talk::{done, echoes};
use crate::verdict::{Failure, ensure};

pub(crate) async fn untrusted(to: &Servers) -> Result<(), Failure> {
    let mut why = Vec::new();
    for listener in ["expired", "early", "misnamed", "stranger"] {
        match to.client(listener, "/echo")?.connect().await {
            Err(ConnectError::Tls(error)) => why.push(error),
            Err(other) => return Err(other.into()),
            Ok(_) => return Err(Failure(format!("connected to {listener}"))),
        }
    }
    let as_expected = matches!(
        &*why,
        [
            TlsError::Expired { not_after: Some(_) },
            TlsError::NotYetValid { not_before: Some(_) },
            TlsError::NameMismatch { .. },
            TlsError::UnknownIssuer
        ]
    );
    ensure(as_expected, || format!("refused because of {why:?}"))?;
    let [_, _, TlsError::NameMismatch { expected, presented }, _] = &*why else { return Ok(()) };
    ensure(expected == "127.0.0.1" && presented.concat().contains("elsewhere.example"), || {
        format!("expected {expected}, presented {presented:?}")
    })
}

/// The server wants one, and says so, or (asyncio does) closes without a word.
pub(crate) async fn client_certificate(to: &Servers) -> Result<(), Failure> {
    match to.client("mutual", "/echo")?.connect().await {
        Err(ConnectError::Tls(TlsError::Refused(_)) | ConnectError::Eof) => {}
        Err(other) => return Err(other.into()),
        Ok(_) => return Err(Failure("connected without a certificate".to_owned())),
    }
    let (certificate, key) = (to.certificate("client.pem")?, to.certificate("client.key")?);
    let mut ws = to.client("mutual", "/echo")?.client_certificate(certificate, key).connect().await?;
    echoes(&mut ws, "it is me").await?;
    done(ws).await
}
