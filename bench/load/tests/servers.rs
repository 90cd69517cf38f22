//! A right server passes, and each wrong one is found out.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use load::{Deflate, Deflated, Echo, Load, Row, Wire};

#[test]
fn an_echo_passes_in_every_kind_of_row() {
    for row in ["16B 1x1", "125B 3x16", "64KiB 2x4", "1MiB 1x2", "1KiB-ascii 1x3", "1KiB-utf8 2x1"] {
        let echoed = load(row, |_, bytes| bytes.to_vec()).unwrap();
        assert!(echoed >= 1.0, "{row}: {echoed}");
    }
}

#[test]
fn a_flipped_bit_is_found_on_the_first_pass() {
    for row in ["16B 1x1", "125B 3x16", "64KiB 2x4"] {
        let flip_once = |offset: u64, bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            if offset == 0 {
                bytes[10] ^= 1;
            }
            bytes
        };
        let error = load(row, flip_once).unwrap_err();
        assert!(error.contains("wrong bytes"), "{row}: {error}");
    }
}

#[test]
fn bits_flipped_after_the_first_pass_are_found_in_the_last_answers() {
    for row in ["16B 1x1", "125B 3x16"] {
        let flip_late = |offset: u64, bytes: &[u8]| match offset {
            0..10_000 => bytes.to_vec(),
            _ => bytes.iter().map(|byte| byte ^ 1).collect(),
        };
        let error = load(row, flip_late).unwrap_err();
        assert!(error.contains("wrong bytes"), "{row}: {error}");
    }
}

#[test]
fn an_answer_too_many_is_found() {
    let error = load("16B 1x1", |offset, bytes| if offset == 0 { bytes.repeat(3) } else { bytes.to_vec() });
    let error = error.unwrap_err();
    assert!(error.contains("wrong bytes") || error.contains("more came back"), "{error}");
}

#[test]
fn a_server_that_hangs_up_is_found() {
    let error = load("16B 1x1", |offset, bytes| if offset == 0 { bytes.to_vec() } else { Vec::new() }).unwrap_err();
    assert!(error.contains("closed by the server"), "{error}");
}

#[test]
fn a_server_that_does_not_upgrade_is_found() {
    let server = serve(|_, _| b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec());
    let error = Echo::start(server, &"16B 1x1".parse().unwrap(), Wire::WebSocket).err().unwrap();
    assert!(format!("{error:#}").contains("no upgrade: HTTP/1.1 400"), "{error:#}");
}

#[test]
fn an_echo_of_compressed_messages_passes_and_bits_flipped_late_are_found() {
    for deflate in [Deflate::NoTakeover, Deflate::Takeover] {
        let echoed = load_deflated(deflate, |_, bytes| bytes.to_vec()).unwrap();
        assert!(echoed > 64.0, "{echoed}");
        // No header is as long as that.
        let flip_late = |offset: u64, bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            if offset > 100_000 && bytes.len() > 100 {
                bytes[50] ^= 1;
            }
            bytes
        };
        let error = load_deflated(deflate, flip_late).unwrap_err();
        assert!(error.contains("message ") && error.contains("connection 0"), "{error}");
    }
}

fn load_deflated(
    deflate: Deflate,
    answer: impl Fn(u64, &[u8]) -> Vec<u8> + Clone + Send + 'static,
) -> Result<f64, String> {
    let row: Row = "1KiB-json 2x1".parse().unwrap();
    let result = Deflated::start(serve(answer), &row, Wire::Raw, deflate).and_then(|mut load| {
        let echoed = load.run(Duration::from_millis(200))?;
        load.finish()?;
        assert!(load.reply_len().unwrap() < 500.0);
        Ok(echoed.each)
    });
    result.map_err(|error| format!("{error:#}"))
}

/// Loads a server that answers as `answer` does, and tells how many messages came back.
fn load(row: &str, answer: impl Fn(u64, &[u8]) -> Vec<u8> + Clone + Send + 'static) -> Result<f64, String> {
    let row: Row = row.parse().unwrap();
    let server = serve(answer);
    let result = Echo::start(server, &row, Wire::Raw).and_then(|mut load| {
        let echoed = load.run(Duration::from_millis(200))?;
        load.finish()?;
        Ok(echoed.each)
    });
    result.map_err(|error| format!("{error:#}"))
}

/// What comes in at an offset of a connection's input is answered by `answer`; an empty answer hangs up.
fn serve(answer: impl Fn(u64, &[u8]) -> Vec<u8> + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, answer) = (stream.unwrap(), answer.clone());
            std::thread::spawn(move || {
                let (mut offset, mut buffer) = (0, vec![0; 64 * 1024]);
                while let Ok(n @ 1..) = stream.read(&mut buffer) {
                    let answer = answer(offset, &buffer[..n]);
                    if answer.is_empty() || stream.write_all(&answer).is_err() {
                        return;
                    }
                    offset += n as u64;
                }
            });
        }
    });
    address
}
