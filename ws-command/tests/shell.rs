//! `ws completions` and `ws man`.

use std::process::{Command, Stdio};

use crate::support::{run, stderr, stdout};

/// All commands.
const COMMANDS: [&str; 7] = ["connect", "send", "listen", "ping", "serve", "completions", "man"];

#[tokio::test]
async fn completions_name_all_commands_and_options() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(&["completions", shell], "").await;
        assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
        for word in COMMANDS.into_iter().chain(["subprotocol", "backplane", "until"]) {
            assert!(stdout(&output).contains(word), "{shell} lacks {word}");
        }
    }
    assert_eq!(run(&["completions", "cmd"], "").await.status.code(), Some(2));
}

/// If the shell is there: it takes the script, and completes a command with it.
#[tokio::test]
async fn bash_completes() {
    let output = run(&["completions", "bash"], "").await;
    let script =
        format!("{}\nCOMP_WORDS=(ws lis); COMP_CWORD=1; _ws ws lis ws; echo \"${{COMPREPLY[@]}}\"", stdout(&output));
    let bash = Command::new("bash").args(["--norc", "-c", &script]).stdin(Stdio::null()).output();
    let Ok(bash) = bash else { return };
    assert_eq!(String::from_utf8_lossy(&bash.stdout), "listen\n", "{}", String::from_utf8_lossy(&bash.stderr));
}

#[tokio::test]
async fn each_command_has_a_manual_page() {
    let folder = std::env::temp_dir().join(format!("ws-man-{}", std::process::id()));
    let path = folder.join("man1");
    let output = run(&["man", path.to_str().unwrap()], "").await;
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
    let page = |name: &str| std::fs::read_to_string(path.join(name)).unwrap();
    for command in COMMANDS {
        assert!(page("ws.1").contains(&format!("ws\\-{command}")), "{command} is missing in ws.1");
        assert!(page(&format!("ws-{command}.1")).contains(".SH SYNOPSIS"), "{command}");
    }
    assert!(page("ws-send.1").contains("Exit status"), "its end is missing");
    std::fs::remove_dir_all(&folder).unwrap();
    // A file where the folder should be.
    let file = env!("CARGO_BIN_EXE_ws");
    let output = run(&["man", file], "").await;
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with(&format!("Cannot write to {file}: ")), "{}", stderr(&output));
}

#[tokio::test]
async fn the_long_version_tells_what_is_built_in() {
    let output = run(&["--version"], "").await;
    let told = stdout(&output);
    assert!(told.starts_with(&format!("ws {}\nTLS (rustls with ring), HTTP/2", env!("CARGO_PKG_VERSION"))), "{told}");
    for (feature, is_built) in [("redis", cfg!(feature = "redis")), ("kafka", cfg!(feature = "kafka"))] {
        let line = told.lines().find(|line| line.contains(feature)).unwrap();
        assert_eq!(line.starts_with("with "), is_built, "{told}");
    }
    let output = run(&["-V"], "").await;
    assert_eq!(stdout(&output), format!("ws {}\n", env!("CARGO_PKG_VERSION")));
}
