//! The parts of `.ci/run`, and the places that must name each of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::read_to_string(repository.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The parts, in the order of `.ci/run`.
fn parts() -> Vec<String> {
    let script = read(".ci/run");
    let calls = script.lines().filter_map(|line| line.strip_prefix("    part "));
    let names: Vec<_> = calls.filter_map(|call| call.split(' ').next()).map(str::to_owned).collect();
    assert!(names.len() > 10, "{names:?}");
    names
}

/// The names, each of which must be there once, and no other.
fn assert_names_each_once(names: &[String], place: &str) {
    let parts = parts();
    let (named, known): (BTreeSet<_>, BTreeSet<_>) = (names.iter().collect(), parts.iter().collect());
    assert_eq!(named, known, "{place}");
    assert_eq!(names.len(), named.len(), "{place} names a part twice: {names:?}");
}

#[test]
fn the_workflow_runs_each_part_once() {
    let workflow = read(".github/workflows/ci.yml");
    let matrix = workflow.lines().skip_while(|line| line.trim() != "part:" || !line.starts_with("        ")).skip(1);
    let jobs = matrix.map_while(|line| line.strip_prefix("          - "));
    let names: Vec<_> = jobs.flat_map(str::split_whitespace).map(str::to_owned).collect();
    assert_names_each_once(&names, "ci.yml");
}

#[test]
fn contributing_lists_each_part_in_the_order_in_which_it_runs() {
    let document = read("CONTRIBUTING.md");
    let table = document.lines().skip_while(|line| !line.starts_with("| part |")).skip(2);
    let rows = table.map_while(|line| line.strip_prefix("| `"));
    let names: Vec<_> = rows.filter_map(|row| row.split('`').next()).map(str::to_owned).collect();
    assert_eq!(names, parts());
}
