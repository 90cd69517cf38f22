//! Connections whose messages are values.

use std::collections::BTreeMap;

use futures_util::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};

use super::setup::*;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Point {
    x: u8,
    label: String,
}

fn point(x: u8, label: &str) -> Point {
    Point { x, label: label.to_owned() }
}

#[test]
fn a_bad_json_message_ends_neither_the_stream_nor_the_connection() {
    let (ws, mut peer) = accepted(uncompressed());
    let mut ws = ws.typed::<Json, Point, Point>();
    peer.write(masked(0x81, r#"{"x":1,"label":"text"}"#));
    peer.write(masked(0x81, "{"));
    peer.write(masked(0x81, r#"{"x":1000,"label":"of another type"}"#));
    peer.write(masked(0x82, r#"{"x":2,"label":"binary"}"#));
    peer.write(masked_close(1000, ""));
    block_on(async {
        assert_eq!(ws.next().await.unwrap().unwrap(), point(1, "text"));
        assert!(matches!(ws.next().await, Some(Err(JsonError::Json(_)))));
        assert!(matches!(ws.recv().await, Err(JsonError::Json(_))));
        // What is sent is text.
        ws.send(&point(3, "sent")).await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(point(2, "binary")));
        assert!(ws.next().await.is_none());
        assert!(ws.recv().await.unwrap().is_none());
        assert!(matches!(ws.send(&point(4, "too late")).await, Err(JsonError::WebSocket(_))));
    });
    assert_eq!(peer.frame(), (0x81, br#"{"x":3,"label":"sent"}"#.to_vec()));
    assert_eq!(peer.close_frame().0, 1000);
}

#[test]
fn a_value_that_is_no_json_is_not_sent_and_the_connection_continues() {
    let (ws, mut peer) = accepted(uncompressed());
    let mut ws = ws.typed::<Json, u8, BTreeMap<(u8, u8), u8>>();
    block_on(async {
        // Keys have to be strings.
        let bad = BTreeMap::from([((1, 2), 3)]);
        assert!(matches!(ws.send(&bad).await, Err(JsonError::Json(_))));
        assert!(matches!(ws.feed(bad).await, Err(JsonError::Json(_))));
        SinkExt::send(&mut ws, BTreeMap::new()).await.unwrap();
    });
    assert_eq!(peer.frame(), (0x81, b"{}".to_vec()));
}

#[test]
fn an_error_of_the_connection_is_the_last_item() {
    let (ws, peer) = accepted(uncompressed());
    let mut ws = ws.typed::<Json, u8, u8>();
    drop(peer);
    block_on(async {
        assert!(matches!(ws.next().await, Some(Err(JsonError::WebSocket(_)))));
        assert!(ws.next().await.is_none());
    });
}

#[test]
fn values_go_both_ways_over_either_form() {
    let server = start(Server::new(), |ws| async move {
        let mut ws = ws.typed::<Json, Vec<u32>, u32>();
        while let Some(numbers) = ws.recv().await? {
            ws.send(&numbers.iter().sum()).await?;
        }
        Ok(())
    });
    let mut driven = server.connect().typed::<Json, u32, Vec<u32>>();
    block_on(async {
        driven.send(&vec![1, 2, 3]).await.unwrap();
        assert_eq!(driven.recv().await.unwrap(), Some(6));
        driven.close().await.unwrap();
        assert!(driven.into_inner().closed().await.is_normal());

        let mut polled = server.client().connect_stream().await.unwrap().typed::<Json, u32, Vec<u32>>();
        for n in 0..100 {
            polled.send(&vec![n, n]).await.unwrap();
            assert_eq!(polled.next().await.unwrap().unwrap(), 2 * n);
        }
        polled.close().await.unwrap();
    });
    server.stop();
}

#[test]
fn a_value_that_was_sent_is_written_without_another_poll() {
    let (near, far) = tcp_pair();
    let serving = spawn(async move {
        let mut ws = accept_stream(stream(far)).await.unwrap().typed::<Json, u8, u8>();
        ws.send(&7).await.unwrap();
        ws
    });
    let mut peer = Peer::new(near);
    peer.upgrade("/");
    let _ws = block_on(serving);
    assert_eq!(peer.frame(), (0x81, b"7".to_vec()));
}

#[test]
fn messagepack_is_binary_and_a_struct_is_a_map() {
    let (ws, mut peer) = accepted(uncompressed());
    let mut ws = ws.typed::<MessagePack, Point, Point>();
    let map = b"\x82\xA1x\x07\xA5label\xA3map";
    let array = b"\x92\x08\xA5array";
    peer.write([masked(0x82, map), masked(0x82, array)].concat());
    block_on(async {
        assert_eq!(ws.recv().await.unwrap(), Some(point(7, "map")));
        assert_eq!(ws.recv().await.unwrap(), Some(point(8, "array")));
        ws.send(&point(7, "map")).await.unwrap();
    });
    assert_eq!(peer.frame(), (0x82, map.to_vec()));
}

#[test]
fn a_bad_messagepack_message_ends_neither_the_stream_nor_the_connection() {
    let (ws, mut peer) = accepted(uncompressed());
    let mut ws = ws.typed::<MessagePack, Vec<u8>, Vec<u8>>();
    peer.write(masked(0x81, "[1]"));
    peer.write(masked(0x82, b"\x92\x01"));
    peer.write(masked(0x82, b"\x91\x01\x02\x03"));
    // It claims 4 GiB.
    peer.write(masked(0x82, b"\xDD\xFF\xFF\xFF\xFF\x01"));
    peer.write(masked(0x82, b"\x91\x01"));
    block_on(async {
        assert!(matches!(ws.next().await, Some(Err(MessagePackError::Text))));
        assert!(matches!(ws.next().await, Some(Err(MessagePackError::Decode(_)))));
        assert!(matches!(ws.next().await, Some(Err(MessagePackError::Trailing(2)))));
        assert!(matches!(ws.next().await, Some(Err(MessagePackError::Decode(_)))));
        assert_eq!(ws.next().await.unwrap().unwrap(), [1]);
    });
    drop(peer);
    block_on(async {
        assert!(matches!(ws.next().await, Some(Err(MessagePackError::WebSocket(_)))));
        assert!(ws.next().await.is_none());
    });
}

/// A value that holds one of its own kind.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Nested(Vec<Nested>);

#[test]
fn messagepack_that_is_nested_too_deep_is_refused() {
    let (ws, mut peer) = accepted(uncompressed());
    let mut ws = ws.typed::<MessagePack, Nested, Nested>();
    for depth in [100, 200, 100_000] {
        peer.write(masked(0x82, [vec![0x91; depth], vec![0x90]].concat()));
    }
    block_on(async {
        assert!(ws.recv().await.unwrap().is_some());
        assert!(matches!(ws.recv().await, Err(MessagePackError::Decode(_))));
        assert!(matches!(ws.recv().await, Err(MessagePackError::Decode(_))));
        ws.send(&Nested(Vec::new())).await.unwrap();
    });
    assert_eq!(peer.frame(), (0x82, vec![0x90]));
}
