#!/bin/bash
# The crate redis prints codes of the server's errors that the server never sent, and its accessor has those that it did.
#
# Guessed: the text of an error is what the server sent: "NOPERM User guest has no permissions …".
# Seen (redis 1.8.1, against a server of ten lines that answers with a code): `Display` writes the name of its own enumeration
#   instead of the codes that it knows: "NoPerm: …" for NOPERM, "MasterDown: …" for MASTERDOWN, "BusyLoading: …" for LOADING,
#   "ReadOnly: …" for READONLY, "NoScript: …" for NOSCRIPT, "ResponseError: …" for ERR. A code that it does not know is printed in
#   quotation marks: "\"WRONGTYPE\": …". `code()` has the server's code for all of them.
# Why it matters: searching logs, or a broker's documentation, for a code that was printed finds nothing, and code that looks for
#   "NOPERM" in `to_string()` never matches. Match `code()`; print `code()` and `detail()`.
# Documented: redis.io, "Redis serialization protocol": the first word of an error is its prefix, in upper case.
set -eu
T=$(mktemp -d); PIDS=""
cleanup() { for p in $PIDS; do kill "$p" 2>/dev/null && wait "$p" 2>/dev/null || :; done; rm -rf "$T"; }
trap cleanup EXIT
cd "$T"
mkdir -p src
cat > Cargo.toml <<'TOML'
[package]
name = "ask"
version = "0.0.0"
edition = "2021"
[dependencies]
redis = { version = "=1.8.1", default-features = false }
[profile.dev]
debug = false
TOML
cat > src/main.rs <<'RS'
use std::io::{BufRead, BufReader, Write};

/// Answers every command after the first ones with an error of the argument's code, as a server does.
fn server(code: &'static str) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        while let Some(Ok(line)) = lines.next() {
            let Some(count) = line.strip_prefix('*') else { continue };
            let mut words = vec![];
            for _ in 0..count.parse::<usize>().unwrap() {
                lines.next();
                words.push(lines.next().unwrap().unwrap());
            }
            let answer = if words[0] == "GET" { format!("-{code} a text of the server\r\n") } else { "+OK\r\n".into() };
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    port
}

fn main() {
    for code in ["NOPERM", "MASTERDOWN", "LOADING", "READONLY", "NOSCRIPT", "ERR", "WRONGTYPE"] {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}/", server(code))).unwrap();
        let mut connection = client.get_connection().unwrap();
        let error = redis::cmd("GET").arg("a").query::<()>(&mut connection).unwrap_err();
        println!("{code}: code() {:?}, printed {:?}", error.code().unwrap_or("none"), error.to_string());
    }
}
RS
cargo run -q > seen
cat seen
cat > expected <<'TXT'
NOPERM: code() "NOPERM", printed "NoPerm: a text of the server"
MASTERDOWN: code() "MASTERDOWN", printed "MasterDown: a text of the server"
LOADING: code() "LOADING", printed "BusyLoading: a text of the server"
READONLY: code() "READONLY", printed "ReadOnly: a text of the server"
NOSCRIPT: code() "NOSCRIPT", printed "NoScript: a text of the server"
ERR: code() "ERR", printed "ResponseError: a text of the server"
WRONGTYPE: code() "WRONGTYPE", printed "\"WRONGTYPE\": a text of the server"
TXT
diff expected seen
