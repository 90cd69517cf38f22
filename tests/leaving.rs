//! Programs that send and end without closing: what `send` has said `Ok` to arrives, on each runtime.

use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use ws_tokio::{CloseCode, Server, ServerHandle};

const RUNTIMES: [&str; 4] = ["tokio-current-thread", "tokio-multi-thread", "async-std", "smol"];

/// A hang is a failure; nothing here takes so long.
const TOO_LONG: Duration = Duration::from_secs(60);

/// What came of one connection: how many messages, the first that is not as it should be, the code of its Close.
#[derive(Debug, PartialEq)]
struct Story {
    messages: usize,
    wrong: Option<String>,
    code: Option<CloseCode>,
}

/// A server that counts.
struct Counting {
    port: u16,
    handle: ServerHandle,
    stories: Receiver<Story>,
    _runtime: tokio::runtime::Runtime,
}

impl Counting {
    fn start(server: Server) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (tell, stories) = channel();
        let listening = runtime.block_on(server.bind("127.0.0.1:0")).unwrap();
        let (port, handle) = (listening.local_addr().unwrap().port(), listening.handle());
        runtime.spawn(listening.serve(move |mut ws| {
            let tell = tell.clone();
            async move {
                let mut story = Story { messages: 0, wrong: None, code: None };
                while let Ok(Some(message)) = ws.recv().await {
                    if story.wrong.is_none() && message.as_text() != Some(&format!("line {}", story.messages)) {
                        story.wrong = Some(format!("{message:?}"));
                    }
                    story.messages += 1;
                }
                story.code = ws.closed().await.received.map(|frame| frame.code);
                tell.send(story)?;
                Ok(())
            }
        }));
        Self { port, handle, stories, _runtime: runtime }
    }

    /// Runs the program, and sees to it that all it sent arrives, with 1001 behind it.
    fn sees_all(&self, runtime: &str, scheme: &str, count: usize, how: &str, ca: Option<&str>) {
        let url = format!("{scheme}://localhost:{}/", self.port);
        let program = env!("CARGO_BIN_EXE_send-and-exit");
        let status = Command::new(program).args([runtime, &url, &count.to_string(), how]).args(ca).status().unwrap();
        assert!(status.success(), "{runtime}, {how}: {status}");
        let story = self.stories.recv_timeout(TOO_LONG).unwrap();
        let code = story.code;
        assert_eq!((story.messages, story.wrong), (count, None), "{runtime}, {how}, {scheme}, {code:?}");
        // A task that receives has the handle, and where tasks die with the process it says nothing any more.
        if how == "socket" || runtime.starts_with("tokio") {
            assert_eq!(code, Some(CloseCode::GOING_AWAY), "{runtime}, {how}, {scheme}");
        }
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

/// How often each is tried.
const RUNS: usize = 30;

#[test]
fn sent_messages_arrive_when_the_program_ends() {
    let server = Counting::start(Server::new());
    for runtime in RUNTIMES {
        for count in [1, 20, 1000] {
            for _ in 0..RUNS {
                server.sees_all(runtime, "ws", count, "socket", None);
            }
        }
        for _ in 0..RUNS {
            server.sees_all(runtime, "ws", 20, "sender", None);
        }
    }
}

#[cfg(feature = "tls")]
#[test]
fn messages_sent_over_tls_arrive_when_the_program_ends() {
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = rcgen::CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().unwrap()).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let ca = std::env::temp_dir().join(format!("send-and-exit-{}.pem", std::process::id()));
    std::fs::write(&ca, issuer.pem()).unwrap();
    let server = Counting::start(Server::new().tls(certificate.pem(), key.serialize_pem()));
    for runtime in RUNTIMES {
        for (count, how) in [(1, "socket"), (20, "socket"), (1000, "socket"), (20, "sender")] {
            for _ in 0..RUNS / 3 {
                server.sees_all(runtime, "wss", count, how, ca.to_str());
            }
        }
    }
    std::fs::remove_file(ca).unwrap();
}
