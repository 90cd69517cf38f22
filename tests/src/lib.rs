//! Suites that cross crates live in `tests/`; the peers for other people's suites in `src/bin/`, and here what those peers
//! have in common.

pub mod autobahn;

use std::future::Future;

use ws_async_std::Executor;

/// smol's executor, with its threads.
#[derive(Debug)]
pub struct Smol;

impl Executor for Smol {
    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(task).detach();
    }
}

#[cfg(test)]
mod architecture;
#[cfg(test)]
mod ci;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod features;
#[cfg(test)]
mod links;
#[cfg(all(doctest, feature = "deflate", feature = "http2", feature = "json", feature = "tls"))]
mod pages;
#[cfg(test)]
mod texts;
#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// The tests of these crates are one program each, `main.rs`: a file that it does not declare would never run.
    #[test]
    fn every_file_of_tests_belongs_to_a_program() {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for folder in [
            "ws-async-std/tests",
            "ws-command/tests",
            "ws-proto/tests",
            "ws-session/tests/session",
            "ws-tokio/tests",
            "ws-tungstenite/tests",
        ] {
            let main = fs::read_to_string(repository.join(folder).join("main.rs")).unwrap();
            let declared: Vec<_> =
                main.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).collect();
            assert!(declared.len() > 2, "{folder}: {declared:?}");
            let manifest = repository.join(folder.split('/').next().unwrap()).join("Cargo.toml");
            let manifest = fs::read_to_string(manifest).unwrap();
            for entry in fs::read_dir(repository.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                // A folder with a `main.rs` is a program of its own.
                let is_test = path.join("mod.rs").exists() || path.extension().is_some_and(|end| end == "rs");
                let name = path.file_stem().unwrap().to_str().unwrap();
                // And so is a file that the manifest names.
                let is_program = manifest.contains(&format!("path = \"tests/{name}.rs\""));
                let is_declared = name == "main" || declared.contains(&name) || is_program;
                assert!(!is_test || is_declared, "main.rs does not declare {}", path.display());
            }
        }
    }

    /// The workflow runs every part of `.ci/run`, each once, and no part that is not there.
    #[test]
    fn the_workflow_runs_each_part() {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let read = |path: &str| fs::read_to_string(repository.join(path)).unwrap();
        let (script, workflow) = (read(".ci/run"), read(".github/workflows/ci.yml"));
        // A call of the function, not its definition: `part NAME SHOW COMMAND`.
        let calls = script.lines().filter_map(|line| line.trim_start().strip_prefix("part "));
        let mut parts: Vec<_> = calls.filter_map(|call| call.split(' ').next()).collect();
        let matrix = workflow.split_once("        part:\n").unwrap().1;
        let jobs = matrix.lines().map_while(|line| line.strip_prefix("          - "));
        let mut run: Vec<_> = jobs.flat_map(|job| job.split(' ')).collect();
        parts.sort_unstable();
        run.sort_unstable();
        assert!(parts.len() > 10, "{parts:?}");
        assert_eq!(run, parts);
    }

    /// Each setting that the document on particular peers names is there.
    #[test]
    fn the_settings_for_particular_peers_exist() {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let read = |path: &str| std::fs::read_to_string(repository.join(path)).unwrap();
        // A builder's methods are in several files.
        fn sources(folder: &Path) -> String {
            let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            paths.map(|path| if path.is_dir() { sources(&path) } else { fs::read_to_string(path).unwrap() }).collect()
        }
        let folder = |path: &str| sources(&repository.join(path)) + &read("ws-session/src/settings.rs");
        let of = |kind: &str| match kind {
            "Server" => folder("ws-session/src/server"),
            "Client" => folder("ws-session/src/client"),
            "ConnectError" => read("ws-session/src/error/connect.rs"),
            "RoundTrip" => read("ws-session/src/shared/pings.rs"),
            "Deflate" => read("ws-proto/src/extensions/permessage_deflate/mod.rs"),
            "Deadlines" => read("ws-proto/src/config.rs"),
            "Outcome" | "Cause" => read("ws-proto/src/outcome.rs"),
            other => panic!("{other}: say where it is"),
        };
        let document = read("docs/peers.md");
        let quoted = document.split('`').skip(1).step_by(2);
        let names: Vec<_> = quoted.filter_map(|code| code.split('(').next()?.split_once("::")).collect();
        assert!(names.len() > 30, "{names:?}");
        for (kind, name) in names {
            let source = of(kind);
            let items = match name.starts_with(char::is_uppercase) {
                true => vec![format!("\n    {name}"), format!("pub const {name}: ")],
                false => vec![format!("fn {name}("), format!("fn {name}<"), format!("pub {name}: ")],
            };
            let is_there = items.iter().any(|item| source.contains(item));
            assert!(is_there, "{kind}::{name}");
        }
    }

    /// The lines of nginx's configuration that the documentation shows are those that `tests/interop/run` runs with.
    #[test]
    fn the_documented_configuration_of_nginx_is_the_tested_one() {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let read = |path| std::fs::read_to_string(repository.join(path)).unwrap();
        let tested = read("tests/interop/nginx/nginx.conf");
        let documentation = read("docs/proxies.md");
        let (_, shown) = documentation.split_once("```nginx\n").unwrap();
        let (shown, _) = shown.split_once("```").unwrap();
        let shown: Vec<_> = shown.lines().map(str::trim).collect();
        assert_eq!(shown.iter().filter(|line| line.starts_with("proxy_")).count(), 8);
        for line in shown {
            // Where the server is differs.
            if !line.starts_with("proxy_pass ") && !line.starts_with('#') {
                assert!(tested.lines().any(|tested| tested.trim() == line), "{line:?} is not in nginx.conf");
            }
        }
    }
}
