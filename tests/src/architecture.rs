//! The sources keep to the tables of `ARCHITECTURE.md`: which room of a crate may import which. A room is a file or a folder
//! of `src`; no file is longer than one person reads in a sitting.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// How many lines a file may have before its tests.
const LINES: usize = 400;

/// Crates whose rooms are in the tables.
const DRAWN: [&str; 3] = ["ws-proto", "ws-session", "ws-hub"];

#[test]
fn rooms_import_only_what_the_tables_allow() {
    let document = fs::read_to_string(repository().join("ARCHITECTURE.md")).unwrap();
    let mut mistakes = Vec::new();
    for name in DRAWN {
        let table = Table::parse(name, &document, &mut mistakes);
        let sources = sources(name);
        let rooms: BTreeSet<_> = sources.iter().filter_map(|source| source.room.clone()).collect();
        for room in rooms.iter().filter(|room| !table.allowed.contains_key(*room)) {
            mistakes.push(format!("{name}/src: the room {room} is not in the table"));
        }
        for room in table.allowed.keys().filter(|room| !rooms.contains(*room)) {
            mistakes.push(format!("ARCHITECTURE.md: {name} has no room {room}"));
        }
        for source in &sources {
            let Some(room) = &source.room else { continue };
            check(source, room, &table, &mut mistakes);
        }
    }
    assert!(mistakes.is_empty(), "\n{}", mistakes.join("\n"));
}

#[test]
fn no_file_is_too_long_to_read() {
    let mut mistakes = Vec::new();
    for entry in fs::read_dir(repository()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.starts_with("ws-") {
            continue;
        }
        for source in sources(&name) {
            let lines = source.code().lines().count();
            if lines > LINES {
                mistakes.push(format!("{}: {lines} lines before its tests, more than {LINES}", source.path.display()));
            }
        }
    }
    assert!(mistakes.is_empty(), "\n{}", mistakes.join("\n"));
}

/// The checks find what they look for.
#[test]
fn mistakes_are_found() {
    let document = "## a: x\n| rooms | what | may import |\n| --- | --- | --- |\n| `up` | | `down` |\n| `down` `beside` | | |\n\
                    ## b\n| rooms | what | may import |\n| --- | --- | --- |\n| `down` | | |\n| `up` | | `down` |\n";
    let mut mistakes = Vec::new();
    let table = Table::parse("a", document, &mut mistakes);
    assert_eq!(mistakes, <[String; 0]>::default());
    Table::parse("b", document, &mut mistakes);
    assert_eq!(mistakes, ["ARCHITECTURE.md: b's room up may import down, which stands above it"]);

    let found = |path: &str, text: &str| {
        let source = Source::new(PathBuf::from(path), Path::new(path), text.to_owned());
        let mut mistakes = Vec::new();
        check(&source, source.room.as_ref().unwrap(), &table, &mut mistakes);
        mistakes
    };
    let none: [String; 0] = [];
    assert_eq!(found("up.rs", "use crate::down::X;\n// crate::elsewhere::X\n"), none);
    assert_eq!(found("down.rs", "use crate::beside::X;\nlet x = $crate::up::X;\n"), none);
    assert_eq!(found("down/deep.rs", "use super::X;\n#[cfg(test)]\nmod tests {\n    use crate::up::X;\n}\n"), none);
    let upward = ["down.rs:2: down imports up, which ARCHITECTURE.md does not allow"];
    assert_eq!(found("down.rs", "\npub(crate) use crate::up::X;\n"), upward);
    assert_eq!(found("down.rs", "fn f() {}\nlet x = crate::up::X::new();\n"), upward);
    let root = ["down/deep.rs:1: it names the root of its crate: name the room"];
    assert_eq!(found("down/deep.rs", "use crate::X;\n"), root);
    assert_eq!(found("down/deep.rs", "use crate::{up, beside};\n"), root);
    assert_eq!(found("down/deep.rs", "use super::super::up::X;\n"), root);
    assert_eq!(found("down/deep.rs", "mod inner {\n    use super::super::X;\n}\n"), none);
    assert_eq!(
        found("down/mod.rs", "use super::up::X;\n"),
        ["down/mod.rs:1: it names the root of its crate: name the room"]
    );
}

/// Which room may import which.
struct Table {
    allowed: BTreeMap<String, BTreeSet<String>>,
}

impl Table {
    /// The table of a crate's section: rooms, what is in them, what they may import. Rooms of one row may import each other,
    /// all others only rooms in rows further down: so there are no circles.
    fn parse(name: &str, document: &str, mistakes: &mut Vec<String>) -> Self {
        let section = document.split("\n## ").find_map(|section| {
            let section = section.strip_prefix("## ").unwrap_or(section);
            section.strip_prefix(name)?.strip_prefix([':', '\n'])
        });
        let section = section.unwrap_or_else(|| panic!("ARCHITECTURE.md has no section on {name}"));
        let rows =
            section.lines().skip_while(|line| !(line.starts_with("| rooms |") && line.ends_with("| may import |")));
        let mut allowed = BTreeMap::new();
        let mut above = BTreeSet::new();
        for row in rows.skip(2).take_while(|line| line.starts_with('|')) {
            let cells: Vec<_> = row.trim_matches('|').split('|').collect();
            let [rooms, .., imports] = &cells[..] else { panic!("{row}: a row has three cells") };
            let (rooms, imports) = (quoted(rooms), quoted(imports));
            for room in &rooms {
                above.insert(room.clone());
            }
            for room in &rooms {
                for import in imports.intersection(&above) {
                    mistakes.push(format!(
                        "ARCHITECTURE.md: {name}'s room {room} may import {import}, which stands above it"
                    ));
                }
                allowed.insert(room.clone(), imports.union(&rooms).cloned().collect());
            }
        }
        assert!(!allowed.is_empty(), "ARCHITECTURE.md has no table of {name}'s rooms");
        Self { allowed }
    }
}

/// A source file of a crate.
struct Source {
    /// In the repository.
    path: PathBuf,
    /// The file or folder of `src` it is or lies in; `None` for the crate's root.
    room: Option<String>,
    /// How many modules lie between the crate's root and what it says `super` of.
    depth: usize,
    text: String,
}

impl Source {
    fn new(path: PathBuf, in_src: &Path, text: String) -> Self {
        let mut modules: Vec<_> =
            in_src.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        if modules.last().is_some_and(|last| last == "mod") {
            modules.pop();
        }
        let is_root = in_src.starts_with("bin") || matches!(&modules[..], [only] if only == "lib" || only == "main");
        Self { path, depth: modules.len() - 1, room: (!is_root).then(|| modules.swap_remove(0)), text }
    }

    /// What stands before its tests.
    fn code(&self) -> &str {
        let is_test = |n: usize| {
            self.text[n..].starts_with("\n#[cfg(test)]\nmod ") || self.text[n..].starts_with("\n#[cfg(all(test")
        };
        let end = self.text.match_indices("\n#[cfg(").map(|(n, _)| n).find(|n| is_test(*n));
        self.text.get(..end.map_or(self.text.len(), |end| end + 1)).unwrap()
    }
}

/// What a file imports, in `use` and elsewhere, is allowed to its room.
fn check(source: &Source, room: &str, table: &Table, mistakes: &mut Vec<String>) {
    for (n, line) in source.code().lines().enumerate() {
        let at = format!("{}:{}", source.path.display(), n + 1);
        if line.trim_start().starts_with("//") {
            continue;
        }
        // Inline modules are indented, and name their file.
        let is_import =
            ["use ", "pub use ", "pub(crate) use ", "pub(super) use "].iter().any(|begin| line.starts_with(begin));
        if is_import && line.matches("super::").count() > source.depth {
            mistakes.push(format!("{at}: it names the root of its crate: name the room"));
        }
        for (found, _) in line.match_indices("crate::").filter(|(found, _)| !line[..*found].ends_with('$')) {
            let path = &line[found + "crate::".len()..];
            let name = path.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default();
            match table.allowed.get(name) {
                None => mistakes.push(format!("{at}: it names the root of its crate: name the room")),
                Some(_) if table.allowed.get(room).is_some_and(|allowed| allowed.contains(name)) => {}
                Some(_) => mistakes.push(format!("{at}: {room} imports {name}, which ARCHITECTURE.md does not allow")),
            }
        }
    }
}

/// A crate's source files.
fn sources(name: &str) -> Vec<Source> {
    let src = repository().join(name).join("src");
    let (mut folders, mut sources) = (vec![src.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let in_repository = path.strip_prefix(repository()).unwrap().to_owned();
                sources.push(Source::new(in_repository, path.strip_prefix(&src).unwrap(), text));
            }
        }
    }
    assert!(!sources.is_empty(), "{name} has no sources");
    sources
}

/// The words in backquotes.
fn quoted(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}
