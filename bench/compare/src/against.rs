//! The programs of this project at an earlier revision.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// What was built of a revision.
pub(crate) struct Earlier {
    pub(crate) revision: String,
    /// The folder of its programs.
    pub(crate) programs: PathBuf,
}

impl Earlier {
    /// Builds these packages as they were at a revision, in a folder of builds of its own. Those that did not exist then are
    /// left out. Without `build`, what the last run built is taken, which has to be of the same revision.
    pub(crate) fn new(revision: &str, packages: &[&str], target: &Path, build: bool) -> Result<Self> {
        let commit = git(&["rev-parse", "--verify", "--quiet", &format!("{revision}^{{commit}}")])
            .with_context(|| format!("{revision:?} is no revision of this repository"))?;
        let folder = target.join("against");
        let earlier = Self { revision: revision.to_owned(), programs: folder.join("release") };
        let built = folder.join("commit");
        if build {
            fs::create_dir_all(&folder)?;
            earlier.build(&commit, packages, &folder)?;
            fs::write(&built, &commit)?;
        }
        let is_built = fs::read_to_string(&built).is_ok_and(|built| built == commit);
        ensure!(is_built, "{revision} was not what was built last: leave --no-build out");
        Ok(earlier)
    }

    fn build(&self, commit: &str, packages: &[&str], folder: &Path) -> Result<()> {
        let tree = Worktree::new(folder.join("tree"), commit)?;
        let servers = fs::read_dir(tree.0.join("bench/servers")).context("no benchmarks at that revision")?;
        let manifests: Vec<_> =
            servers.flatten().filter_map(|server| fs::read_to_string(server.path().join("Cargo.toml")).ok()).collect();
        let is_there = |package: &&&str| manifests.iter().any(|text| text.contains(&format!("name = \"{package}\"")));
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--release", "--quiet", "--locked", "--target-dir"]).arg(folder);
        cargo.current_dir(tree.0.join("bench"));
        cargo.args(packages.iter().filter(is_there).flat_map(|package| ["-p", package]));
        ensure!(cargo.status()?.success(), "{} does not build", self.revision);
        Ok(())
    }

    /// Its program of this name, if there was one.
    pub(crate) fn program(&self, package: &str) -> Option<PathBuf> {
        Some(self.programs.join(package)).filter(|program| program.exists())
    }
}

/// A checkout beside this one, until it is dropped.
struct Worktree(PathBuf);

impl Worktree {
    fn new(folder: PathBuf, commit: &str) -> Result<Self> {
        let tree = Self(folder);
        // One that an earlier run left behind.
        tree.remove();
        git(&["worktree", "add", "--quiet", "--detach", &tree.0.to_string_lossy(), commit])?;
        Ok(tree)
    }

    fn remove(&self) {
        if self.0.exists() {
            let _ = git(&["worktree", "remove", "--force", &self.0.to_string_lossy()]);
        }
    }
}

impl Drop for Worktree {
    fn drop(&mut self) {
        self.remove();
    }
}

/// What git prints, in this repository.
fn git(arguments: &[&str]) -> Result<String> {
    let output = Command::new("git").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output()?;
    ensure!(output.status.success(), "git {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
