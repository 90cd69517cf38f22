//! Commands that are typed at the prompt.

use std::path::PathBuf;

use ws_tokio::Message;

use super::outgoing::{Outgoing, close};

/// What `/help` shows.
pub(super) const HELP: &str = "\
/ping              measure how long the server takes to answer
/close CODE TEXT   close the connection with this code, 1000 without one, and reason
/file PATH         send a file as a binary message
/help              show this
//ping             sends the text /ping; what begins otherwise is sent as it is";

/// What a typed line asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Typed {
    /// Sent as it was typed.
    Line(String),
    Outgoing(Outgoing),
    File(PathBuf),
    Help,
    /// A command that cannot be carried out, and why.
    Bad(String),
}

impl Typed {
    pub(super) fn parse(line: String) -> Self {
        let Some(command) = line.strip_prefix('/') else { return Self::Line(line) };
        let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
        let rest = rest.trim();
        match name {
            "ping" if rest.is_empty() => Self::Outgoing(Outgoing::Ping),
            "help" if rest.is_empty() => Self::Help,
            "file" if !rest.is_empty() => Self::File(rest.into()),
            "close" => parse_close(rest),
            "/ping" | "/close" | "/file" | "/help" => Self::Line(command.to_owned()),
            // Many servers have commands of their own that begin so.
            _ => Self::Line(line),
        }
    }
}

fn parse_close(rest: &str) -> Typed {
    let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    let code = if code.is_empty() { Ok(1000) } else { code.parse() };
    let closed = code.map_err(|_| "expected /close CODE REASON, such as /close 4000 done".to_owned());
    closed.and_then(|code| close(code, reason.trim())).map_or_else(Typed::Bad, Typed::Outgoing)
}

/// A file as a message. The error is a sentence.
pub(super) fn read(path: &std::path::Path) -> Result<Message, String> {
    crate::files::read(path).map(Message::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_commands_are_not_sent() {
        let parse = |line: &str| Typed::parse(line.to_owned());
        let line = |line: &str| Typed::Line(line.to_owned());
        for other in ["", "hi", "/", "/join #a", "/pinging", "/ping 1", "/help me", "/file", " /ping", "///"] {
            assert_eq!(parse(other), line(other));
        }
        assert_eq!(
            (parse("//ping"), parse("//close 1"), parse("//help")),
            (line("/ping"), line("/close 1"), line("/help"))
        );
        assert_eq!((parse("/ping"), parse("/help")), (Typed::Outgoing(Outgoing::Ping), Typed::Help));
        assert_eq!(parse("/file a b.bin"), Typed::File("a b.bin".into()));
        let close = |code: u16, reason: &str| Typed::Outgoing(Outgoing::Close(code.into(), reason.to_owned()));
        assert_eq!(parse("/close"), close(1000, ""));
        assert_eq!(parse("/close 4000"), close(4000, ""));
        assert_eq!(parse("/close 4000  all done "), close(4000, "all done"));
        for bad in ["/close x", "/close 1006", "/close -1", "/close 99999999999999999999"] {
            assert!(matches!(parse(bad), Typed::Bad(_)), "{bad}");
        }
    }
}
