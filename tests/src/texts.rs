//! The messages that `docs/faq.md` explains are those of the sources.

use std::fs;
use std::path::Path;

/// Words of the system, of a library or of a manual between ours.
const NOT_OURS: [&str; 2] = ["Address already in use", "Permission denied"];

#[test]
fn each_explained_message_is_in_the_sources() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut sources = String::new();
    for name in ["ws-proto/src", "ws-session/src"] {
        read(&repository.join(name), &mut sources);
    }
    let page = fs::read_to_string(repository.join("docs/faq.md")).unwrap();
    let messages: Vec<_> = page.lines().filter_map(first_cell).flat_map(quoted).collect();
    assert!(messages.len() > 90, "{}", messages.len());
    let unknown: Vec<_> =
        messages.iter().filter(|message| !pieces(message).all(|piece| sources.contains(piece))).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

/// The sources in a folder, with the strings that are broken into lines made whole.
fn read(folder: &Path, sources: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, sources);
            continue;
        }
        let mut lines = fs::read_to_string(&path).unwrap();
        while let Some(at) = lines.find("\\\n") {
            let rest = lines[at + 2..].trim_start().to_owned();
            lines.truncate(at);
            lines.push_str(&rest);
        }
        sources.push_str(&lines.replace("\\\"", "\""));
    }
}

/// The first cell of a row of a table, but not of its head.
fn first_cell(line: &str) -> Option<&str> {
    line.strip_prefix("| ")?.split(" | ").next().filter(|cell| cell.contains('`'))
}

fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// What is always the same in a message.
fn pieces(message: &str) -> impl Iterator<Item = &str> {
    message
        .split('…')
        .map(|piece| piece.trim_matches([' ', ':', ';']))
        .filter(|piece| piece.len() > 2 && !NOT_OURS.contains(piece))
}
