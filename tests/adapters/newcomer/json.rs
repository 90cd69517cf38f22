//! Messages of JSON.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::setup::*;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Move {
    player: String,
    to: (u8, u8),
}

#[test]
fn values_both_ways() {
    let server = start(Server::new(), |mut ws| async move {
        while let Some(mut step) = ws.recv_json::<Move>().await? {
            step.to.0 += 1;
            ws.send_json(&step).await?;
        }
        Ok(())
    });
    let mut ws = server.connect();
    block_on(async {
        let sent = Move { player: "é\n".to_owned(), to: (3, 4) };
        ws.send_json(&sent).await.unwrap();
        let step: Option<Move> = ws.recv_json().await.unwrap();
        assert_eq!(step, Some(Move { to: (4, 4), ..sent }));
        // Untyped, by a sender, and read from a binary message.
        ws.sender().send_json(&json!({"player": "b", "to": [0, 0]})).await.unwrap();
        assert_eq!(ws.recv_json::<Value>().await.unwrap(), Some(json!({"player": "b", "to": [1, 0]})));
        ws.send(br#"{"player":"c","to":[0,0]}"#).await.unwrap();
        assert_eq!(ws.recv().await.unwrap().unwrap(), r#"{"player":"c","to":[1,0]}"#);
    });
    close(ws);
    server.stop();
}

#[test]
fn invalid_json_is_an_error_and_the_connection_goes_on() {
    let server = start(Server::new(), echo);
    let mut ws = server.connect();
    block_on(async {
        ws.send("no JSON").await.unwrap();
        let error = ws.recv_json::<Move>().await.unwrap_err();
        assert!(matches!(error, JsonError::Json(_)) && error.to_string().contains("line 1"), "{error}");
        let unsendable = std::collections::HashMap::from([((1, 2), 3)]);
        assert!(matches!(ws.send_json(&unsendable).await, Err(JsonError::Json(_))));
        ws.send_json("text").await.unwrap();
        assert_eq!(ws.recv_json::<String>().await.unwrap().as_deref(), Some("text"));
        let end = ws.sender();
        end.close(1000, "").await.unwrap();
        assert_eq!(ws.recv_json::<Move>().await.unwrap(), None);
        assert!(matches!(ws.send_json(&1).await, Err(JsonError::WebSocket(_))));
    });
    server.stop();
}
