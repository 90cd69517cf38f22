//! Sockets that a service manager passes to a process. The test runs this program again, as the process.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};

use rustix::io::{FdFlags, fcntl_setfd};
use ws_tokio::{ListeningSocket, Server};

const CHILD: &str = "activated::the_process_that_is_given_sockets";

/// What a service manager passes: a socket of each kind, at descriptors that follow each other.
#[test]
fn sockets_of_the_environment_are_listened_on() {
    let path = std::env::temp_dir().join(format!("ws-activated-{}.sock", std::process::id()));
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    let unix = UnixListener::bind(&path).unwrap();
    for (given, count) in [(tcp.as_raw_fd(), 1), (unix.as_raw_fd(), 1)] {
        [&tcp as &dyn std::os::fd::AsFd, &unix]
            .iter()
            .for_each(|socket| fcntl_setfd(socket.as_fd(), FdFlags::empty()).unwrap());
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", CHILD, "--nocapture", "--test-threads=1"])
            .env("LISTEN_FDS", count.to_string())
            .env("LISTEN_FDS_FIRST_FD", given.to_string())
            .env_remove("LISTEN_PID")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let client = tokio::runtime::Runtime::new().unwrap().block_on(async {
            let client = ws_tokio::Client::new(format!("ws://{address}/"));
            let client = if given == unix.as_raw_fd() { client.unix_socket(&path) } else { client };
            let mut ws = client.connect().await.unwrap();
            ws.recv().await.unwrap()
        });
        assert_eq!(client.unwrap().as_text(), Some("1 then 0"));
        child.stdin.take().unwrap().write_all(b"\n").unwrap();
        assert!(child.wait().unwrap().success());
    }
    // They are still there for the next process.
    TcpStream::connect(address).unwrap();
    UnixStream::connect(&path).unwrap();
    std::fs::remove_file(path).unwrap();
}

/// Does nothing unless the other test runs it.
#[test]
fn the_process_that_is_given_sockets() {
    if std::env::var_os("LISTEN_FDS_FIRST_FD").is_none() {
        return;
    }
    let given = ListeningSocket::from_environment().unwrap();
    let counts = format!("{} then {}", given.len(), ListeningSocket::from_environment().unwrap().len());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let listening = Server::new().listen_on_each(given).unwrap();
        let stop = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
        let serve = listening.serve_until(
            move |ws| {
                let counts = counts.clone();
                async move { Ok(ws.send(counts).await?) }
            },
            stop,
        );
        serve.await.unwrap();
    });
}

#[test]
fn a_process_without_any_has_none() {
    if std::env::var_os("LISTEN_FDS_FIRST_FD").is_none() {
        assert!(ListeningSocket::from_environment().unwrap().is_empty());
    }
}
