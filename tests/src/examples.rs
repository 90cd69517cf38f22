//! Each example has a row in `docs/examples.md`, and a check with a peer in `tests/interop`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn each_example_is_in_the_list_and_checked() {
    let list = read("docs/examples.md");
    let (checked, expected) = (checks(&read("tests/interop/examples/checks.py")), expected(&read("tests/interop/run")));
    let examples = examples();
    assert!(examples.len() > 40, "{examples:?}");
    for (krate, name) in &examples {
        let link = format!("[`{name}`](../{krate}/examples/{name}.rs)");
        assert!(list.contains(&link), "docs/examples.md has no {link}");
        assert!(checked.contains(name), "tests/interop/examples/checks.py has no check of {krate}/examples/{name}.rs");
    }
    assert_eq!(checked, expected, "the checks, and those that tests/interop/run expects");
}

#[test]
fn checks_are_found() {
    let script = "@check(\"one\", \"two\")\nasync def one(name):\n    check(\"no\")\n\n@check(\"three: a text\")\n";
    assert_eq!(Vec::from_iter(checks(script)), ["one", "three: a text", "two"]);
    let run =
        "CHECKS = [\n    \"no\",\n]\nEXAMPLE_CHECKS = [\n    \"one\",\n    \"two\",\n]\nMORE = [\n    \"no\",\n]\n";
    assert_eq!(Vec::from_iter(expected(run)), ["one", "two"]);
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The crates and their examples.
fn examples() -> BTreeSet<(String, String)> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut examples = BTreeSet::new();
    for krate in fs::read_dir(repository).unwrap().map(Result::unwrap) {
        let name = krate.file_name().into_string().unwrap();
        let Some(files) = fs::read_dir(krate.path().join("examples")).ok().filter(|_| name.starts_with("ws-")) else {
            continue;
        };
        let sources =
            files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "rs"));
        examples.extend(sources.map(|path| (name.clone(), path.file_stem().unwrap().to_str().unwrap().to_owned())));
    }
    examples
}

/// The names in the lines `@check("…", "…")` of the script.
fn checks(script: &str) -> BTreeSet<String> {
    let lines = script.lines().filter_map(|line| line.strip_prefix("@check("));
    lines.flat_map(|line| line.split('"').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// The names in the list `EXAMPLE_CHECKS`.
fn expected(run: &str) -> BTreeSet<String> {
    let (_, list) = run.split_once("\nEXAMPLE_CHECKS = [\n").unwrap();
    let (list, _) = list.split_once("\n]").unwrap();
    list.lines().map(|line| line.trim().trim_matches([',', '"']).to_owned()).collect()
}
