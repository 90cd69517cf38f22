//! Heads of the opening handshake that are dear. All are within the limits of a head.

use super::Case;
use crate::subjects::{REQUEST, Subject};

pub(super) fn all() -> Vec<Case> {
    let mut cases = vec![];
    let begin = REQUEST.trim_end();
    let mut add = |name: &str, headers: &str| {
        let request = format!("{begin}\r\n{headers}\r\n");
        for subject in [Subject::Request, Subject::RequestBytewise] {
            cases.push(Case { name: name.into(), subject, input: request.clone().into(), deflate: vec![] });
        }
    };
    let lines = |line: &dyn Fn(usize) -> String, n: usize| (0..n).map(line).collect::<String>();
    add("a request as browsers make it", "");
    add(
        "90 headers of one byte",
        &lines(&|i| format!("{}{}:\r\n", (b'a' + (i / 26) as u8) as char, (b'a' + (i % 26) as u8) as char), 90),
    );
    add("90 headers of one name", &lines(&|_| "x:\r\n".into(), 90));
    add("a long header", &format!("X: {}\r\n", "a".repeat(8000)));
    add(
        "many subprotocols",
        &format!("Sec-WebSocket-Protocol: {}\r\n", lines(&|i| format!("{i},"), 2000).trim_end_matches(',')),
    );
    add(
        "90 lines of subprotocols",
        &lines(
            &|i| {
                format!(
                    "Sec-WebSocket-Protocol: {}\r\n",
                    lines(&|j| format!("{},", 100 * i + j), 20).trim_end_matches(',')
                )
            },
            90,
        ),
    );
    add("many extensions", &format!("Sec-WebSocket-Extensions: {}\r\n", "a,".repeat(4000).trim_end_matches(',')));
    add("many parameters", &format!("Sec-WebSocket-Extensions: a{}\r\n", ";b".repeat(4000)));
    add(
        "many offers of compression",
        &format!("Sec-WebSocket-Extensions: {}\r\n", "permessage-deflate;a,".repeat(400).trim_end_matches(',')),
    );
    add("a quoted value of backslashes", &format!("Sec-WebSocket-Extensions: a;b=\"{}\"\r\n", "\\a".repeat(4000)));
    add("many proxies", &format!("X-Forwarded-For: {}\r\n", "10.0.0.1,".repeat(900).trim_end_matches(',')));
    add(
        "90 lines of proxies",
        &lines(&|_| format!("X-Forwarded-For: {}\r\n", "10.0.0.1,".repeat(8).trim_end_matches(',')), 90),
    );
    add("many short proxies", &format!("X-Forwarded-For: {}\r\n", "::,".repeat(2700).trim_end_matches(',')));
    add("many tokens of Connection", &format!("Connection: {}\r\n", "a,".repeat(4000).trim_end_matches(',')));
    add("cookies", &format!("Cookie: {}\r\n", "a=b; ".repeat(1600).trim_end_matches("; ")));
    let accepted = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    let mut add = |name: &str, response: String| {
        for subject in [Subject::Response, Subject::ResponseBytewise] {
            cases.push(Case { name: name.into(), subject, input: response.clone().into(), deflate: vec![] });
        }
    };
    add("a response", format!("{accepted}\r\n"));
    add("90 headers of a response", format!("{accepted}{}\r\n", lines(&|i| format!("x{i}:\r\n"), 90)));
    add("interim responses", format!("{}{accepted}\r\n", "HTTP/1.1 103\r\n\r\n".repeat(900)));
    add(
        "many extensions of a response",
        format!("{accepted}Sec-WebSocket-Extensions: {}\r\n\r\n", "a,".repeat(4000).trim_end_matches(',')),
    );
    add("many parameters of a response", {
        format!("{accepted}Sec-WebSocket-Extensions: permessage-deflate{}\r\n\r\n", ";a".repeat(4000))
    });
    cases
}
