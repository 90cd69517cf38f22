//! `ws connect` in a terminal.

#![cfg(unix)]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::support::Demo;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use ws_tokio::{CloseCode, Server};

/// `ws` with a terminal of its own.
struct Terminal {
    child: Child,
    keyboard: File,
    /// Everything written to the terminal, as it comes.
    written: mpsc::Receiver<Vec<u8>>,
    screen: String,
}

impl Terminal {
    fn start(arguments: &[&str]) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap();
        let terminal = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let size = rustix::termios::Winsize { ws_row: 24, ws_col: 40, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&controller, size).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_ws"))
            .args(arguments)
            .env("TERM", "xterm")
            .env("NO_COLOR", "1")
            .stdin(terminal.try_clone().unwrap())
            .stdout(terminal)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let keyboard = File::from(controller);
        let mut output = keyboard.try_clone().unwrap();
        let (sender, written) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Reading fails once the program, the last to hold the terminal, is gone.
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, keyboard, written, screen: String::new() }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until this is written, and forgets it and what was before.
    fn expect(&mut self, expected: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(at) = self.screen.find(expected) {
                self.screen.drain(..at + expected.len());
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.written.recv_timeout(left) {
                Ok(bytes) => self.screen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => panic!("expected {expected:?} in {:?}", self.screen),
            }
        }
    }

    fn exit_code(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// What precedes everything drawn on the row of the prompt.
const ERASE: &str = "\r\u{1b}[2K";

#[tokio::test(flavor = "multi_thread")]
async fn the_typing_is_kept_while_messages_arrive() {
    let demo = Demo::start().await;
    let mut terminal = Terminal::start(&["connect", &demo.url("/chat")]);
    terminal.expect(&format!("Connected to {}.\r\n", demo.url("/chat")));
    terminal.expect("> ");
    terminal.press("hello\r");
    terminal.expect("] hello\r\n");
    terminal.press("half a li");
    terminal.expect("> half a li");
    let other = demo.connect("/chat").await;
    other.send("from another").await.unwrap();
    terminal.expect(&format!("{ERASE}< ["));
    terminal.expect(&format!("] from another\r\n{ERASE}> half a li"));
    // Left, Ctrl-A, Ctrl-E, backspace: the rest is typed where the cursor stands.
    terminal.press("\u{1b}[D\u{1}\u{5}\u{7f}ine\r");
    terminal.expect("] half a line\r\n");
    // Up, twice: the line before the last.
    terminal.press("\u{1b}[A\u{1b}[A\r");
    terminal.expect("] hello\r\n");
    terminal.press("\u{4}");
    terminal.expect("Connection closed: 1000 (OK).\r\n");
    assert_eq!(terminal.exit_code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_closes_even_with_half_a_line() {
    let demo = Demo::start().await;
    let mut terminal = Terminal::start(&["connect", &demo.url("/echo")]);
    terminal.expect("> ");
    terminal.press("half");
    terminal.expect("> half");
    terminal.press("\u{3}");
    terminal.expect(&format!("{ERASE}\u{1b}[?2004lConnection closed: 1000 (OK).\r\n"));
    assert_eq!(terminal.exit_code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paste_waits_for_enter() {
    let demo = Demo::start().await;
    let mut terminal = Terminal::start(&["connect", &demo.url("/echo")]);
    terminal.expect("> ");
    terminal.press("\u{1b}[200~{\r\t1\r}\r\u{1b}[201~");
    terminal.expect("> {\\n\\t1\\n}");
    terminal.press("\r");
    terminal.expect("< {\\n\\t1\\n}\r\n");
    terminal.press("\u{4}");
    assert_eq!(terminal.exit_code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_is_told_by_name_and_exit_code() {
    let listening = Server::new().bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listening.local_addr().unwrap());
    tokio::spawn(listening.serve(|ws| async move {
        ws.close(CloseCode::from(4001), "kicked").await?;
        Ok(())
    }));
    let mut terminal = Terminal::start(&["connect", &url]);
    terminal.expect("Connection closed: 4001 (private use) kicked.\r\n");
    assert_eq!(terminal.exit_code(), Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_typed_at_the_prompt() {
    let demo = Demo::start().await;
    let mut terminal = Terminal::start(&["connect", &demo.url("/echo")]);
    terminal.expect("> ");
    terminal.press("/help\r");
    terminal.expect("/close CODE TEXT");
    terminal.press("/ping\r");
    terminal.expect("(pong after ");
    terminal.press("//ping\r");
    terminal.expect("< /ping\r\n");
    terminal.press("/me waves\r");
    terminal.expect("< /me waves\r\n");
    let file = std::env::temp_dir().join(format!("ws-typed-{}", std::process::id()));
    std::fs::write(&file, [0, 255]).unwrap();
    terminal.press(&format!("/file {}\r", file.display()));
    terminal.expect("< (binary) 00ff\r\n");
    std::fs::remove_file(&file).unwrap();
    terminal.press("/file /no/such/file\r");
    terminal.expect("(Cannot read /no/such/file: ");
    terminal.press("/close 1006\r");
    terminal.expect("(1006 is no code that may be sent");
    terminal.press("/close 4000 all done\r");
    terminal.expect("Connection closed: 4000");
    assert_eq!(terminal.exit_code(), Some(3));
}
