//! `ws completions` and `ws man`: what a shell and a manual need to know of this program.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::Shell;

use crate::exit;
use crate::output::fail;

/// Print the completions of a shell.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ws completions bash > ~/.local/share/bash-completion/completions/ws
  ws completions zsh > ~/.zfunc/_ws                       with ~/.zfunc in fpath
  ws completions fish > ~/.config/fish/completions/ws.fish
  ws completions powershell >> $PROFILE")]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Write the manual pages into a folder: ws.1, ws-connect.1 and so on.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  ws man ~/.local/share/man/man1 && man ws-connect")]
pub(crate) struct ManArgs {
    /// The folder, which is made if it is missing
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

pub(crate) fn completions(args: &CompletionsArgs, mut program: Command) -> ExitCode {
    // Into memory first: writing there does not fail, and a reader may close the pipe early.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, "ws", &mut script);
    match io::stdout().write_all(&script) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            fail(format_args!("Cannot write the output: {error}."))
        }
        _ => ExitCode::from(exit::OK),
    }
}

pub(crate) fn man(args: &ManArgs, program: Command) -> ExitCode {
    let written = std::fs::create_dir_all(&args.folder).and_then(|()| clap_mangen::generate_to(program, &args.folder));
    match written {
        Ok(()) => ExitCode::from(exit::OK),
        Err(error) => fail(format_args!("Cannot write to {}: {error}.", args.folder.display())),
    }
}
