//! `wss://` and `https://`, with certificates from files.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

use crate::support::{Demo, run, stderr, stdout};
use rcgen::{BasicConstraints, CertificateParams, CertifiedKey, IsCa, KeyPair, generate_simple_self_signed};

/// A directory of a test's own, with a certificate that signed itself, and its key.
struct Files {
    directory: PathBuf,
}

impl Files {
    fn new(name: &str) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let directory = env::temp_dir().join(format!("ws-command-tls-{}-{number}", process::id()));
        fs::create_dir_all(&directory).unwrap();
        let files = Self { directory };
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
        files.write("cert.pem", &cert.pem());
        files.write("key.pem", &signing_key.serialize_pem());
        files
    }

    fn write(&self, name: &str, content: &str) -> String {
        fs::write(self.directory.join(name), content).unwrap();
        self.path(name)
    }

    fn path(&self, name: &str) -> String {
        self.directory.join(name).to_str().unwrap().to_owned()
    }

    async fn serve(&self) -> Demo {
        Demo::start_with(&["--cert", &self.path("cert.pem"), "--key", &self.path("key.pem")]).await
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn url(demo: &Demo) -> String {
    format!("wss://{}/echo", demo.address)
}

#[tokio::test]
async fn one_shots_tell_a_tls_failure_and_v_shows_the_certificate() {
    let files = Files::new("127.0.0.1");
    let demo = files.serve().await;
    let output = run(&["ping", &url(&demo), "-c", "1"], "").await;
    assert_eq!(output.status.code(), Some(6), "{}", stderr(&output));
    assert!(stderr(&output).contains("--ca FILE"), "{}", stderr(&output));
    let output = run(&["send", &url(&demo), "x", "--expect", "1", "-v", "--ca", &files.path("cert.pem")], "").await;
    let shown = stderr(&output);
    assert!(shown.starts_with("TLSv1_3 with TLS13_"), "{shown}");
    assert!(
        shown.contains("Certificate of CN=rcgen self signed cert:\n  issuer: CN=rcgen self signed cert\n  valid from "),
        "{shown}"
    );
    let digest = shown.split("SHA-256: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
    assert!(digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{shown}");
}

#[tokio::test]
async fn a_client_that_trusts_the_certificate_reaches_the_server() {
    let files = Files::new("127.0.0.1");
    let demo = files.serve().await;
    let output = run(&["connect", "--ca", &files.path("cert.pem"), &url(&demo)], "Hello\n").await;
    assert_eq!(stderr(&output), "");
    assert!(stdout(&output).contains("< Hello\nConnection closed: 1000 (OK).\n"), "{}", stdout(&output));
    assert_eq!(output.status.code(), Some(0));
}

/// What `openssl req -x509` makes is an authority's certificate (`CA:TRUE`).
#[tokio::test]
async fn a_certificate_of_openssls_is_taken_as_ca() {
    let files = Files::new("127.0.0.1");
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let cert = files.write("cert.pem", &params.self_signed(&key).unwrap().pem());
    files.write("key.pem", &key.serialize_pem());
    let demo = files.serve().await;
    let output = run(&["connect", "--ca", &cert, &url(&demo)], "Hello\n").await;
    assert_eq!(stderr(&output), "");
    assert!(stdout(&output).contains("< Hello\n"), "{}", stdout(&output));
    let output = run(&["connect", &url(&demo)], "Hello\n").await;
    assert!(stderr(&output).contains("(CA:TRUE)") && stderr(&output).contains("--ca FILE"), "{}", stderr(&output));
}

#[tokio::test]
async fn the_certificate_is_looked_at_unless_one_insists() {
    let files = Files::new("example.com");
    let demo = files.serve().await;
    let output = run(&["connect", &url(&demo)], "Hello\n").await;
    let told = "the certificate's issuer is unknown; to trust it, give its certificate as a CA";
    let hint = "--ca FILE trusts a certificate; --insecure accepts any certificate.";
    assert_eq!(stderr(&output), format!("Failed to connect to {}: {told}.\n{hint}\n", url(&demo)));
    assert_eq!(output.status.code(), Some(1));

    let output = run(&["connect", "--ca", &files.path("cert.pem"), &url(&demo)], "Hello\n").await;
    let told = "the certificate is for example.com, not for 127.0.0.1.\n";
    assert!(stderr(&output).ends_with(told), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(1));

    let output = run(&["connect", "--insecure", &url(&demo)], "Hello\n").await;
    let told = "Warning: --insecure accepts any certificate. The server may be another than you think.\n";
    assert_eq!(stderr(&output), told);
    assert!(stdout(&output).contains("< Hello\n"), "{}", stdout(&output));
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test]
async fn an_error_in_a_file_names_the_file() {
    let (files, others) = (Files::new("127.0.0.1"), Files::new("127.0.0.1"));
    let (cert, key, other) = (files.path("cert.pem"), files.path("key.pem"), others.path("key.pem"));
    let (empty, missing) = (files.write("empty.pem", ""), files.path("missing.pem"));
    for (cert, key, told) in [
        (&missing, &key, format!("Cannot read {missing}: ")),
        (&cert, &missing, format!("Cannot read {missing}: ")),
        (&empty, &key, format!("Cannot use {empty}: no certificate in the PEM of the certificate chain.\n")),
        (&cert, &empty, format!("Cannot use {empty}: no private key in the PEM of the private key.\n")),
        (&cert, &other, format!("Cannot use {other}: the private key does not belong to the certificate.\n")),
    ] {
        for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["connect", "wss://127.0.0.1:1/"]] {
            let output = run(&[command, &["--cert", cert, "--key", key]].concat(), "").await;
            assert!(stderr(&output).starts_with(&told), "{}", stderr(&output));
            assert_eq!(output.status.code(), Some(1));
        }
    }
    for (ca, told) in [(&missing, "Cannot read "), (&empty, "Cannot use ")] {
        let output = run(&["connect", "--ca", ca, "wss://127.0.0.1:1/"], "").await;
        assert!(stderr(&output).starts_with(&format!("{told}{ca}: ")), "{}", stderr(&output));
        assert_eq!(output.status.code(), Some(1));
    }
    let output = run(&["connect", "--insecure", "--cert", &cert, "--key", &other, "wss://127.0.0.1:1/"], "").await;
    assert!(stderr(&output).contains("Cannot use --cert and --key: "), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(1));
}

#[tokio::test]
async fn a_certificate_needs_its_key() {
    for arguments in [
        &["serve", "--cert", "a"][..],
        &["serve", "--key", "a"],
        &["connect", "--cert", "a", "wss://127.0.0.1:1/"],
        &["connect", "--insecure", "--ca", "a", "wss://127.0.0.1:1/"],
    ] {
        assert_eq!(run(arguments, "").await.status.code(), Some(2), "{arguments:?}");
    }
}

#[tokio::test]
async fn plain_on_one_side_and_tls_on_the_other_is_told() {
    let (plain, files) = (Demo::start().await, Files::new("127.0.0.1"));
    let output = run(&["connect", &url(&plain)], "").await;
    assert!(stderr(&output).contains("the peer does not speak TLS"), "{}", stderr(&output));
    let secure = files.serve().await;
    let output = run(&["connect", &secure.url("/echo")], "").await;
    assert!(
        stderr(&output).ends_with("its text says that the port is for TLS (wss://).\n-v shows the server's answer.\n"),
        "{}",
        stderr(&output)
    );
}

#[tokio::test]
async fn clients_show_a_certificate_of_the_authority() {
    let (files, clients) = (Files::new("127.0.0.1"), Files::new("client"));
    let (cert, key, ca) = (files.path("cert.pem"), files.path("key.pem"), clients.path("cert.pem"));
    let demo = Demo::start_with(&["--cert", &cert, "--key", &key, "--client-ca", &ca]).await;
    let (shown, its_key) = (clients.path("cert.pem"), clients.path("key.pem"));
    let output = run(&["connect", "--ca", &cert, "--cert", &shown, "--key", &its_key, &url(&demo)], "Hello\n").await;
    assert!(stdout(&output).contains("< Hello\n"), "{}", stderr(&output));
    let output = run(&["connect", "--ca", &cert, &url(&demo)], "Hello\n").await;
    assert!(stderr(&output).contains("it asks for a certificate, and got none"), "{}", stderr(&output));
    let empty = files.write("empty.pem", "");
    let output = run(&["serve", "--cert", &cert, "--key", &key, "--client-ca", &empty], "").await;
    let told = format!("Cannot use {empty}: no certificate in the PEM of the CA certificates.\n");
    assert_eq!((stderr(&output), output.status.code()), (&*told, Some(1)));
}

#[cfg(unix)]
#[tokio::test]
async fn a_hangup_has_the_certificate_read_again() {
    let (files, renewed) = (Files::new("127.0.0.1"), Files::new("127.0.0.1"));
    let old = fs::read(files.path("cert.pem")).unwrap();
    let demo = files.serve().await;
    let connects = async |ca: Vec<u8>| ws_tokio::Client::new(url(&demo)).ca(ca).connect().await;
    let mut open = connects(old.clone()).await.unwrap();
    for name in ["cert.pem", "key.pem"] {
        fs::copy(renewed.path(name), files.path(name)).unwrap();
    }
    crate::support::signal(&demo.child, rustix::process::Signal::HUP);
    let new = fs::read(files.path("cert.pem")).unwrap();
    crate::support::in_time(async {
        while connects(new.clone()).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
    assert!(connects(old).await.is_err());
    open.send("still here").await.unwrap();
    assert_eq!(crate::support::text(&mut open).await, "still here");
}
