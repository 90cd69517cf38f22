//! The table of features in `tests/FEATURES.md`: each row names tests that exist, for each adapter.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn each_feature_has_tests_that_exist() {
    let mistakes = mistakes(&fs::read_to_string(repository().join("tests/FEATURES.md")).unwrap());
    assert!(mistakes.is_empty(), "\n{}", mistakes.join("\n"));
}

/// The check finds what it looks for.
#[test]
fn rows_with_mistakes_are_found() {
    let row = |cells: &str| mistakes(&format!("{HEAD}\n| --- | --- | --- | --- |\n| a | {cells} |\n").repeat(100));
    let (both, core) = ("`adapters/keepalive::keepalive_pings_by_itself`", "`core/texts::close_codes`");
    let (tokio, interop) = ("`tokio/memory::main`", "`interop/ticker`");
    for good in [
        format!("{both} | the same | –"),
        format!("{both} {core} | the same | {core}"),
        format!("{tokio} | {core} | –"),
        format!("{interop} | {both} | –"),
        format!("{LEAVING} | the same | –"),
    ] {
        assert_eq!(row(&good), [""; 0], "{good}");
    }
    for (bad, says) in [
        (format!("{both} | | –"), "empty"),
        (format!("{both} | the same |"), "empty"),
        (format!("{both} | the same"), "4 cells"),
        (format!("{both} | the same | –|"), "4 cells"),
        (format!("– | {both} | –"), "names no test"),
        (format!("{both} | – | –"), "names no test"),
        (format!("{both} | the same | the same"), "names no test"),
        (format!("{tokio} | the same | –"), "is not compiled for async-std"),
        (format!("{tokio} | {tokio} | –"), "is not compiled for async-std"),
        ("`suites/streamed_memory::main` | the same | –".to_owned(), "is not compiled for async-std"),
        (format!("{both} | the same | none yet"), "names no test"),
        ("`adapters/keepalive::no_such_test` | the same | –".to_owned(), "no test of this name"),
        ("`adapters/keepalive::lively` | the same | –".to_owned(), "no test of this name"),
        ("`adapters/no_such_file::a` | the same | –".to_owned(), "no such file"),
        ("`nowhere/file::a` | the same | –".to_owned(), "no such file"),
        (format!("`interop/no such check` | {both} | –"), "no such check"),
    ] {
        let found = row(&bad);
        assert!(found.len() == 100 && found[0].contains(says), "{bad}: {:?}", found.first());
    }
    assert!(mistakes("no table").concat().contains("0 rows"));
}

/// A program on each runtime.
const LEAVING: &str = "`suites/leaving::sent_messages_arrive_when_the_program_ends`";

const HEAD: &str = "| feature | tokio | async-std | HTTP/2 |";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// What is wrong with the tables of a document.
fn mistakes(document: &str) -> Vec<String> {
    let mut mistakes = Vec::new();
    let (mut rows, mut in_table) = (0, false);
    for line in document.lines() {
        if line == HEAD {
            in_table = true;
        } else if !line.starts_with('|') {
            in_table = false;
        } else if in_table && !line.starts_with("| ---") {
            rows += 1;
            if let Err(why) = check_row(line) {
                mistakes.push(format!("{line:.60}…: {why}"));
            }
        }
    }
    if rows < 100 {
        mistakes.push(format!("{rows} rows: is this the table?"));
    }
    mistakes
}

fn check_row(line: &str) -> Result<(), String> {
    let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [feature, tokio, async_std, http2] = cells[..] else { return Err("a row has 4 cells".to_owned()) };
    if [feature, tokio, async_std, http2].contains(&"") {
        return Err("a cell is empty".to_owned());
    }
    let compiled_for_both = |name: &&str| match name.split_once('/') {
        Some(("tokio", _)) => false,
        // A program that runs on each runtime names both.
        Some(("suites", rest)) => suite(rest).contains("async-std"),
        _ => true,
    };
    let for_async_std = match async_std {
        "the same" => tests(tokio)?,
        names => tests(names)?,
    };
    if let Some(name) = for_async_std.iter().find(|name| !compiled_for_both(name)) {
        return Err(format!("{name} is not compiled for async-std"));
    }
    tests(tokio)?;
    if http2 != "–" {
        tests(http2)?;
    }
    Ok(())
}

/// The source of a program in `tests` that has this test.
fn suite(name: &str) -> String {
    let file = name.split("::").next().unwrap_or_default();
    fs::read_to_string(repository().join(format!("tests/{file}.rs"))).unwrap_or_default()
}

/// The tests that a cell names, and that exist.
fn tests(cell: &str) -> Result<Vec<&str>, String> {
    let (names, rest): (Vec<_>, Vec<_>) = cell.split('`').enumerate().partition(|(n, _)| n % 2 == 1);
    let names: Vec<_> = names.into_iter().map(|(_, name)| name).collect();
    if names.is_empty() || rest.iter().any(|(_, text)| !text.trim().is_empty()) {
        return Err(format!("{cell:?} names no test"));
    }
    names.iter().try_for_each(|name| find(name))?;
    Ok(names)
}

fn find(name: &str) -> Result<(), String> {
    if let Some(check) = name.strip_prefix("interop/") {
        let run = fs::read_to_string(repository().join("tests/interop/run")).unwrap();
        let is_there = run.lines().any(|line| line.trim() == format!("{check:?},"));
        return if is_there { Ok(()) } else { Err(format!("{name}: no such check in tests/interop/run")) };
    }
    let (file, function) = name.split_once("::").ok_or_else(|| format!("{name} has no file"))?;
    let path = path(file).filter(|path| path.exists()).ok_or_else(|| format!("{name}: no such file"))?;
    let source = fs::read_to_string(path).unwrap();
    if is_test(&source, function) { Ok(()) } else { Err(format!("{name}: no test of this name")) }
}

fn path(file: &str) -> Option<PathBuf> {
    let (prefix, rest) = file.split_once('/')?;
    let folder = match prefix {
        "adapters" => "tests/adapters",
        "async-std" => "ws-async-std/tests",
        "core" => "ws-proto/tests",
        "in-session" => "ws-session/src",
        "session" => "ws-session/tests/session",
        "suites" => "tests",
        "tokio" => "ws-tokio/tests",
        _ => return None,
    };
    Some(repository().join(folder).join(rest).with_extension("rs"))
}

/// Whether a source has a function of this name that is a test: by its attribute, by a list `checks![…]`, or because it is all
/// of its program.
fn is_test(source: &str, function: &str) -> bool {
    let mut is_marked = false;
    for line in source.lines().map(str::trim) {
        let found = ["fn ", "async fn "].iter().any(|kind| {
            line.strip_prefix(kind)
                .and_then(|rest| rest.strip_prefix(function))
                .is_some_and(|rest| rest.starts_with('('))
        });
        if found {
            let listed = source.split("checks![").nth(1).and_then(|list| list.split(']').next());
            let is_listed = listed.is_some_and(|list| list.split(',').any(|name| name.trim() == function));
            return is_marked || is_listed || function == "main";
        }
        is_marked |= line.starts_with("#[test]") || line.contains("::test");
        is_marked &= line.starts_with("#[") || line.starts_with("///");
    }
    false
}
