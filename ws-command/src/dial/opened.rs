//! What `-v` shows of an opened connection.

use std::fmt::Write as _;

use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, SET_COOKIE};
use http::{HeaderMap, HeaderName, Response, Version};
use ring::digest::{SHA256, digest};
use ws_tokio::{Escaped, EscapedBytes, TlsInfo, WebSocket};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use crate::shown::hex;

/// The headers whose values are not shown.
const SECRET: [HeaderName; 4] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, SET_COOKIE];

/// The certificates, the request and the response.
pub(crate) fn opened(ws: &WebSocket) -> String {
    let mut lines = ws.tls().map_or_else(String::new, |info| tls(&info));
    let request = ws.request();
    let _ = writeln!(lines, "The request was {} {}:", request.method(), Escaped(request.uri()));
    headers(request.headers(), &mut lines);
    lines + &head(ws.response())
}

/// A response's status and headers.
pub(crate) fn head<B>(response: &Response<B>) -> String {
    let version = if response.version() == Version::HTTP_2 { "HTTP/2" } else { "HTTP" };
    let mut lines = format!("The server answered {version} {}:\n", response.status());
    headers(response.headers(), &mut lines);
    lines
}

fn headers(headers: &HeaderMap, lines: &mut String) {
    for (name, value) in headers {
        let _ = match SECRET.contains(name) {
            true => writeln!(lines, "  {name}: …"),
            false => writeln!(lines, "  {name}: {}", EscapedBytes(value.as_bytes())),
        };
    }
}

fn tls(tls: &TlsInfo) -> String {
    let version = tls.version().and_then(|version| version.as_str()).unwrap_or("TLS");
    let suite = tls.cipher_suite().and_then(|suite| suite.as_str()).unwrap_or("an unknown cipher suite");
    let mut lines = format!("{version} with {suite}.\n");
    for der in tls.peer_certificates() {
        match Certificate::from_der(der) {
            Ok(certificate) => {
                let certificate = certificate.tbs_certificate();
                let validity = certificate.validity();
                let _ = writeln!(lines, "Certificate of {}:", Escaped(certificate.subject()));
                let _ = writeln!(lines, "  issuer: {}", Escaped(certificate.issuer()));
                let _ = writeln!(lines, "  valid from {} to {}", validity.not_before, validity.not_after);
            }
            Err(error) => drop(writeln!(lines, "A certificate that cannot be read ({error}):")),
        }
        let _ = writeln!(lines, "  SHA-256: {}", hex(digest(&SHA256, der).as_ref()));
    }
    lines
}
