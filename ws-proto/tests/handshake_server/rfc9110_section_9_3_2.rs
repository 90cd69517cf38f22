//! RFC 9110 §9.3.2: HEAD.

use http::Response;

use super::*;

#[test]
fn a_head_request_gets_the_head_a_get_would_get() {
    for (status, head) in [
        (200, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        (404, "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\n"),
        (204, "HTTP/1.1 204 No Content\r\n\r\n"),
    ] {
        let mut out = Vec::new();
        encode::response_to_head_request(&Response::builder().status(status).body("Hello").unwrap(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), head);
    }
}
