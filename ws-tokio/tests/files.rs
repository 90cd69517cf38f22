//! Files of a folder: the responses, and that no request leads out of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

use ws_tokio::{Client, Files, Server};

use crate::common::*;

/// A folder with `public`, which is served, and a secret beside it. It is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("ws-files-{}-{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(folder.public().join("below")).unwrap();
        for (name, text) in [
            ("public/app.js", "let a = 1;\n"),
            ("public/a b.txt", "blank"),
            ("public/below/index.html", "<p>below"),
            ("public/empty.css", ""),
            ("secret.txt", "secret"),
        ] {
            fs::write(folder.0.join(name), text).unwrap();
        }
        fs::write(folder.public().join("long.bin"), vec![7; 3000]).unwrap();
        folder
    }

    fn public(&self) -> PathBuf {
        self.0.join("public")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A server with the folder under `/static`, and up to 1,000 bytes in a response.
async fn site(folder: &Path) -> Running {
    start(Server::new().on_request_async(Files::new("/static/", folder).max_bytes(1000).hook()), echo).await
}

/// The head and the body of a response.
async fn ask(site: &Running, line: &str, fields: &str) -> (String, Vec<u8>) {
    let mut raw = site.raw().await;
    raw.write(format!("{line} HTTP/1.1\r\nHost: test\r\n{fields}\r\n")).await;
    let head = raw.head().await;
    (head, raw.rest().await)
}

fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    fields.find_map(|(other, value)| other.eq_ignore_ascii_case(name).then_some(value))
}

#[tokio::test]
async fn files_are_served_with_their_type_and_length() {
    let folder = Folder::new();
    let site = site(&folder.public()).await;
    for (path, kind, expected) in [
        ("/static/app.js", "text/javascript", "let a = 1;\n"),
        ("/static/app.js?v=2", "text/javascript", "let a = 1;\n"),
        ("/static/a%20b.txt", "text/plain", "blank"),
        ("/static/empty.css", "text/css", ""),
        ("/static/below/", "text/html", "<p>below"),
    ] {
        let (head, body) = ask(&site, &format!("GET {path}"), "").await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {head}");
        assert_eq!(field(&head, "content-type"), Some(kind), "{path}");
        assert_eq!(field(&head, "content-length"), Some(&*expected.len().to_string()), "{path}");
        assert_eq!(field(&head, "connection"), Some("close"), "{path}");
        assert_eq!(String::from_utf8(body).unwrap(), expected, "{path}");
        let (of_head, body) = ask(&site, &format!("HEAD {path}"), "").await;
        assert_eq!(field(&of_head, "content-length"), field(&head, "content-length"), "{path}");
        assert!(of_head.starts_with("HTTP/1.1 200 ") && body.is_empty(), "{path}: {of_head}");
    }
    site.stop().await;
}

#[tokio::test]
async fn parts_and_copies_that_are_still_good() {
    let folder = Folder::new();
    let site = site(&folder.public()).await;
    let (head, body) = ask(&site, "GET /static/app.js", "Range: bytes=4-6\r\n").await;
    assert!(head.starts_with("HTTP/1.1 206 "), "{head}");
    assert_eq!((field(&head, "content-range"), &body[..]), (Some("bytes 4-6/11"), &b"a ="[..]));
    let (head, _) = ask(&site, "GET /static/app.js", "Range: bytes=50-\r\n").await;
    assert!(head.starts_with("HTTP/1.1 416 "), "{head}");
    let (head, _) = ask(&site, "HEAD /static/app.js", "").await;
    let (tag, modified) = (field(&head, "etag").unwrap(), field(&head, "last-modified").unwrap());
    for condition in [format!("If-None-Match: {tag}\r\n"), format!("If-Modified-Since: {modified}\r\n")] {
        let (head, body) = ask(&site, "GET /static/app.js", &condition).await;
        assert!(head.starts_with("HTTP/1.1 304 ") && body.is_empty(), "{condition}: {head}");
        // It would be that of the file (RFC 9110 §8.6).
        assert_eq!(field(&head, "content-length").filter(|length| *length != "11"), None, "{condition}: {head}");
    }
    let (head, _) = ask(&site, "GET /static/app.js", "If-None-Match: \"other\"\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    site.stop().await;
}

/// A hook before can guard a part of the folder by its path.
#[tokio::test]
async fn a_file_has_one_path() {
    let folder = Folder::new();
    let site = site(&folder.public()).await;
    for path in [
        "/static/./below/index.html",
        "/static/below/./index.html",
        "/static/below//index.html",
        "/static/%62elow/index.html",
        "/static/below%2Findex.html",
        "/static/below/x/../index.html",
        "/static/app%2ejs",
        "/static/app%2Ejs",
    ] {
        let (head, _) = ask(&site, &format!("GET {path}"), "").await;
        assert!(head.starts_with("HTTP/1.1 404 "), "{path}: {head}");
    }
    site.stop().await;
}

#[tokio::test]
async fn nothing_beside_the_folder_is_served() {
    let folder = Folder::new();
    let site = site(&folder.public()).await;
    for path in [
        "/static/../secret.txt",
        "/static/%2e%2e/secret.txt",
        "/static/.%2e/secret.txt",
        "/static/%2e%2e%2fsecret.txt",
        "/static/..%2fsecret.txt",
        "/static/below/../../secret.txt",
        "/static/..%5csecret.txt",
        "/static/..\\secret.txt",
        "/static//secret.txt",
        "/static//../secret.txt",
        "/static/%00",
        "/static/nothing",
        "/static/app.js/",
        "/static/app.js/x",
        "/static/%ff",
    ] {
        let (head, body) = ask(&site, &format!("GET {path}"), "").await;
        let status = head.split(' ').nth(1).unwrap();
        assert!(["400", "404"].contains(&status), "{path}: {head}");
        assert!(!String::from_utf8_lossy(&body).contains("secret\n") && body != b"secret", "{path}");
    }
    let absolute = format!("/static/{}", folder.0.join("secret.txt").display());
    assert!(ask(&site, &format!("GET {absolute}"), "").await.0.starts_with("HTTP/1.1 404 "), "{absolute}");
    site.stop().await;
}

#[tokio::test]
async fn other_methods_and_paths_and_long_files() {
    let folder = Folder::new();
    let site = site(&folder.public()).await;
    let (head, _) = ask(&site, "POST /static/app.js", "Content-Length: 0\r\n").await;
    assert!(head.starts_with("HTTP/1.1 405 ") && field(&head, "allow") == Some("GET,HEAD"), "{head}");
    for (path, location) in
        [("/static", "/static/"), ("/static?a=1", "/static/?a=1"), ("/static/below", "/static/below/")]
    {
        let (head, _) = ask(&site, &format!("GET {path}"), "").await;
        assert!(head.starts_with("HTTP/1.1 307 "), "{path}: {head}");
        assert_eq!(field(&head, "location"), Some(location), "{path}");
    }
    // Another name, not a folder below.
    let (head, _) = ask(&site, "GET /statically", "").await;
    assert!(head.starts_with("HTTP/1.1 426 "), "{head}");
    let (head, body) = ask(&site, "GET /static/long.bin", "").await;
    let text = String::from_utf8(body).unwrap();
    assert!(head.starts_with("HTTP/1.1 403 ") && text.contains("at most 1000 bytes"), "{head}{text}");
    let (head, body) = ask(&site, "GET /static/long.bin", "Range: bytes=1000-1999\r\n").await;
    assert!(head.starts_with("HTTP/1.1 206 ") && body == [7; 1000], "{head}");
    let (head, _) = ask(&site, "HEAD /static/long.bin", "").await;
    assert_eq!(field(&head, "content-length"), Some("3000"));
    site.stop().await;
}

#[tokio::test]
async fn a_path_of_files_can_have_a_websocket_and_the_root_can_have_files() {
    let folder = Folder::new();
    let site = start(Server::new().on_request_async(Files::new("/", folder.public()).hook()), echo).await;
    let (head, body) = ask(&site, "GET /app.js", "").await;
    assert!(head.starts_with("HTTP/1.1 200 ") && body == b"let a = 1;\n", "{head}");
    let (head, _) = ask(&site, "GET /", "").await;
    assert!(head.starts_with("HTTP/1.1 404 "), "no index, and no listing: {head}");
    let mut ws = in_time(Client::new(site.url("/app.js")).connect()).await.unwrap();
    ws.send("Hello").await.unwrap();
    assert_eq!(in_time(ws.recv()).await.unwrap().unwrap(), "Hello");
    ws.close(1000, "").await.unwrap();
    site.stop().await;
}

/// As the documentation says.
#[cfg(unix)]
#[tokio::test]
async fn symbolic_links_are_followed() {
    let folder = Folder::new();
    std::os::unix::fs::symlink(folder.0.join("secret.txt"), folder.public().join("link.txt")).unwrap();
    let site = site(&folder.public()).await;
    assert_eq!(ask(&site, "GET /static/link.txt", "").await.1, b"secret");
    site.stop().await;
}
