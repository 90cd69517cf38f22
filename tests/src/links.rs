//! The links between the documents of the repository lead somewhere: to a file or folder that is there, and to a heading that
//! the file has. Each page in `docs` is also listed in its index, and its programs are compiled.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn relative_links_lead_to_files_and_headings() {
    let mut mistakes = Vec::new();
    let mut links = 0;
    for document in documents() {
        for link in Document::read(&document).links {
            links += 1;
            if let Err(why) = follow(&document, &link) {
                mistakes.push(format!("{}: {link}: {why}", document.display()));
            }
        }
    }
    assert!(links > 100, "{links}");
    assert!(mistakes.is_empty(), "\n{}", mistakes.join("\n"));
}

#[test]
fn each_page_is_in_the_index_and_compiled() {
    let index = Document::read(&repository().join("docs/README.md"));
    let compiled = include_str!("pages.rs");
    for page in pages() {
        let name = page.file_name().unwrap().to_str().unwrap();
        assert!(compiled.contains(&format!("\"docs/{name}\"")), "tests/src/pages.rs does not compile docs/{name}");
        // The index is not in itself, and it names the other pages.
        assert!(name == "README.md" || index.links.contains(name), "docs/README.md does not list {name}");
    }
}

/// The checks find what they look for.
#[test]
fn dead_links_are_found() {
    let text = "# A `b` (c), d\n## Same\n## Same\nSee [x](docs/x.md#y), [y](https://example.com/a.md), [z][z].\n\
                ```rust\n# let no = [heading](in/code);\n```\n`[no](link)` but [ä_1](#a-b-c-d)\n\n[z]: z.md\n## Schlüssel: 好\n";
    let document = Document::parse(text);
    assert_eq!(Vec::from_iter(&document.links), ["#a-b-c-d", "docs/x.md#y", "z.md"]);
    assert_eq!(Vec::from_iter(&document.anchors), ["a-b-c-d", "same", "same-1", "schlüssel-好"]);
    let readme = repository().join("README.md");
    assert!(follow(&readme, "docs/axum.md#rejections").is_ok());
    assert!(follow(&readme, "docs").is_ok());
    assert!(follow(&readme, "#no-such-heading").is_err());
    assert!(follow(&readme, "docs/axum.md#no-such-heading").is_err());
    assert!(follow(&readme, "docs/no-such-page.md").is_err());
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Every document at the root and in `docs`, and the one on the suites.
fn documents() -> Vec<PathBuf> {
    let mut documents = markdown(repository());
    documents.extend(pages());
    documents.extend(["tests/FEATURES.md", "tests/README.md"].map(|document| repository().join(document)));
    documents
}

fn pages() -> Vec<PathBuf> {
    markdown(&repository().join("docs"))
}

fn markdown(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    found.sort();
    assert!(found.len() > 3, "{found:?}");
    found
}

/// Follows a relative link in the document at this path.
fn follow(document: &Path, link: &str) -> Result<(), String> {
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let target = if path.is_empty() { document.to_owned() } else { document.parent().unwrap().join(path) };
    if !target.exists() {
        return Err("there is no such file".to_owned());
    }
    match anchor {
        Some(anchor) if !Document::read(&target).anchors.contains(anchor) => Err("there is no such heading".to_owned()),
        _ => Ok(()),
    }
}

/// What the checks need of a document.
struct Document {
    /// The targets of its links that are not URLs.
    links: BTreeSet<String>,
    /// The names by which a link finds its headings, as GitHub makes them.
    anchors: BTreeSet<String>,
}

impl Document {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::parse(&text)
    }

    fn parse(text: &str) -> Self {
        let (mut links, mut anchors) = (BTreeSet::new(), BTreeSet::new());
        let mut headings = HashMap::new();
        let mut in_code = false;
        for line in text.lines() {
            if line.trim_start().starts_with("```") {
                in_code = !in_code;
            }
            if in_code {
                continue;
            }
            if let Some(heading) = line.strip_prefix('#') {
                let anchor = anchor(heading.trim_start_matches('#'));
                let before = headings.entry(anchor.clone()).or_insert(0);
                anchors.insert(if *before == 0 { anchor } else { format!("{anchor}-{before}") });
                *before += 1;
            }
            links.extend(links_of(line).filter(|link| !link.contains(':')));
        }
        Self { links, anchors }
    }
}

/// The targets of `[text](target)`, and of a definition, `[text]: target`.
fn links_of(line: &str) -> impl Iterator<Item = String> {
    // What stands between backticks is code, unless the whole text of a link is.
    let outside: String = line.split('`').step_by(2).collect();
    let definition = outside.strip_prefix('[').and_then(|line| line.split_once("]: ")).map(|(_, to)| to.to_owned());
    let inline: Vec<_> =
        outside.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())).collect();
    definition.into_iter().chain(inline)
}

/// The name of a heading in a link: lower case, without punctuation, spaces as hyphens.
fn anchor(heading: &str) -> String {
    let text = heading.trim().to_lowercase();
    let kept = text.chars().filter(|&c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
