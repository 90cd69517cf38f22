//! The opening handshake, accepted and refused.

use ws_tokio::http::{Response, StatusCode, header};
use ws_tokio::{Bytes, Client, ConnectError};

use crate::servers::Servers;
use crate::talk::{done, echoes, next_json};
use crate::verdict::{Failure, ensure, same};

pub(crate) async fn subprotocol(to: &Servers) -> Result<(), Failure> {
    for (offered, chosen) in [(["unknown", "chat.v1"], "chat.v1"), (["chat.v1", "chat.v2"], "chat.v2")] {
        let client = to.client("guarded", "/request")?.origin("https://allowed.example");
        let mut ws = client.subprotocols(offered).connect().await?;
        same(ws.subprotocol(), Some(chosen))?;
        same(next_json(&mut ws).await?["subprotocol"].as_str(), Some(chosen))?;
        done(ws).await?;
    }
    Ok(())
}

pub(crate) async fn request_arrives(to: &Servers) -> Result<(), Failure> {
    let path = "/request?a=b%20c&d=%C3%A9";
    let mut ws = to.client("main", path)?.header("X-Interop", "from the client").connect().await?;
    let request = next_json(&mut ws).await?;
    same(request["target"].as_str(), Some(path))?;
    same(request["headers"]["x-interop"].as_str(), Some("from the client"))?;
    same(request["headers"]["host"].as_str(), Some(to.address("main")?))?;
    done(ws).await
}

pub(crate) async fn response_headers(to: &Servers) -> Result<(), Failure> {
    let ws = to.dial("/echo").await?;
    same(ws.response().status(), StatusCode::SWITCHING_PROTOCOLS)?;
    let served_by = ws.response().headers().get("x-served-by");
    ensure(served_by.is_some_and(|name| name == "websockets" || name == "ws"), || {
        format!("X-Served-By is {served_by:?}")
    })?;
    done(ws).await
}

pub(crate) async fn origin(to: &Servers) -> Result<(), Failure> {
    let client = |origin| Ok::<_, Failure>(to.client("guarded", "/echo")?.subprotocols(["chat.v1"]).origin(origin));
    refused(client("https://evil.example")?, StatusCode::FORBIDDEN).await?;
    let mut ws = client("https://allowed.example")?.connect().await?;
    echoes(&mut ws, "welcome").await?;
    done(ws).await
}

pub(crate) async fn refusal(to: &Servers) -> Result<(), Failure> {
    let response = refused(to.client("main", "/refuse")?, StatusCode::UNAUTHORIZED).await?;
    let challenge = response.headers().get(header::WWW_AUTHENTICATE);
    same(challenge.and_then(|value| value.to_str().ok()), Some("Basic realm=\"interop\""))?;
    same(response.body().as_ref(), b"no entry\n")?;
    refused(to.client("main", "/nowhere")?, StatusCode::NOT_FOUND).await?;
    Ok(())
}

pub(crate) async fn page(to: &Servers) -> Result<(), Failure> {
    let response = refused(to.client("main", "/page")?, StatusCode::OK).await?;
    let body = String::from_utf8_lossy(response.body());
    ensure(body.contains("<title>interop</title>"), || format!("the page is {body:?}"))
}

async fn refused(client: Client, status: StatusCode) -> Result<Response<Bytes>, Failure> {
    match client.connect().await {
        Err(ConnectError::Rejected(response)) => {
            same(response.status(), status)?;
            Ok(*response)
        }
        Err(other) => Err(other.into()),
        Ok(_) => Err(Failure(format!("connected instead of {status}"))),
    }
}
