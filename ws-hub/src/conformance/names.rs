//! Names of topics that are easily mistaken for something else.

use crate::topic::{InvalidTopic, Topic};

const NAMES: [&str; 79] = [
    // Subjects of NATS: tokens, wildcards, its own.
    "a.b",
    "a..b",
    "a.",
    ".a",
    ".",
    "..",
    "*",
    ">",
    "a.*",
    "a.>",
    "$SYS.>",
    "$JS.API.INFO",
    "_INBOX.a",
    // Patterns and hash tags of Redis.
    "a?",
    "[ab]",
    "a*",
    "{a}",
    "{a}b",
    "{}a",
    "__keyspace@0__:a",
    "a:b",
    // What a topic of Kafka must not be named.
    "a/b",
    "#",
    "a,b",
    "__consumer_offsets",
    // Blanks, and what ends a line, a string or a command.
    " ",
    "a b",
    " a",
    "a ",
    "\t",
    "\r\n",
    "a\r\nPUB b 1\r\nx\r\n",
    "\0",
    "a\0b",
    "a\u{7f}",
    "\\",
    "\"",
    "'",
    // What encodings make of other names here.
    "%2e",
    "%2E",
    "%",
    "a%00",
    "=",
    "==",
    "YQ",
    "YQ==",
    "61",
    "a-b",
    "a_b",
    "~",
    "-",
    "_",
    // Names that differ little: in case, in their normal form, in marks without width.
    "a",
    "A",
    "\u{e9}",
    "e\u{301}",
    "\u{df}",
    "SS",
    "\u{2126}",
    "\u{3a9}",
    "a\u{200b}",
    "a\u{202e}b",
    "\u{feff}a",
    // Letters of two, three and four bytes.
    "\u{fc}",
    "\u{4f60}\u{597d}",
    "\u{1f980}",
    "\u{10ffff}",
    // Almost the hub's own.
    "\0ws-hub",
    "\0ws-hub.",
    "ws-hub/presence/a",
    "\0WS-HUB/a",
    "heartbeat/0",
    "presence/a",
    // Numbers and words that parsers know.
    "0",
    "-1",
    "1e3",
    "null",
    "true",
    "NaN",
];

/// Names that are valid, and that a broker, its client library or an encoding can easily change, refuse, or take for one another.
/// All of them are different topics: a publication on one of them must reach its subscribers and no others.
pub fn hard_topics() -> Vec<Topic> {
    let mut names: Vec<_> = NAMES.map(str::to_owned).to_vec();
    // The longest, and those beside it: of one byte each, of bytes that grow when they are escaped, of letters.
    let long = |text: &str, len: usize| text.repeat(len / text.len());
    names.extend([
        long("x", 254),
        long("x", 255),
        long(".", 255),
        long("\0", 255),
        long("%", 255),
        long("\u{1f980}", 252),
    ]);
    names.into_iter().filter_map(|name| Topic::new(name).ok()).collect()
}

/// Names that no topic can have, each with the reason.
pub fn invalid_topics() -> Vec<(String, InvalidTopic)> {
    let too_long = |text: &str, len: usize| (text.repeat(len / text.len()), InvalidTopic::TooLong { len });
    vec![
        (String::new(), InvalidTopic::Empty),
        too_long("x", 256),
        too_long("\u{fc}", 256),
        too_long("x", 1 << 20),
        ("\0ws-hub/".to_owned(), InvalidTopic::Reserved),
        ("\0ws-hub/presence/a".to_owned(), InvalidTopic::Reserved),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn all_of_them_are_valid_and_different() {
        let names = hard_topics();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        assert_eq!(names.len(), NAMES.len() + 6);
        for (name, reason) in invalid_topics() {
            assert_eq!(Topic::new(name), Err(reason));
        }
    }
}
