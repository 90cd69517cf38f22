//! Suites that cross crates live in `tests/`; the peers for other people's suites in `src/bin/`, and here what those peers
//! have in common.

pub mod autobahn;

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// The lines of nginx's configuration that the documentation shows are those that `tests/interop/run` runs with.
    #[test]
    fn the_documented_configuration_of_nginx_is_the_tested_one() {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let read = |path| std::fs::read_to_string(repository.join(path)).unwrap();
        let tested = read("tests/interop/nginx/nginx.conf");
        let documentation = read("ws-endpoint/src/lib.rs");
        let (_, shown) = documentation.split_once("```nginx\n").unwrap();
        let (shown, _) = shown.split_once("```").unwrap();
        let shown: Vec<_> = shown.lines().map(|line| line.trim_start_matches("//!").trim()).collect();
        assert_eq!(shown.iter().filter(|line| line.starts_with("proxy_")).count(), 8);
        for line in shown {
            // Where the server is differs.
            if !line.starts_with("proxy_pass ") && !line.starts_with('#') {
                assert!(tested.lines().any(|tested| tested.trim() == line), "{line:?} is not in nginx.conf");
            }
        }
    }
}
