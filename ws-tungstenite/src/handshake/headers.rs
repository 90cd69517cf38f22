//! Headers of requests and responses.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::machine::TryParse;
use crate::error::Result;

/// The most headers of a request or response.
pub const MAX_HEADERS: usize = 124;

pub(crate) fn collect(parsed: &[httparse::Header<'_>]) -> Result<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(parsed.len());
    for header in parsed {
        headers.append(HeaderName::from_bytes(header.name.as_bytes())?, HeaderValue::from_bytes(header.value)?);
    }
    Ok(headers)
}

impl TryParse for HeaderMap {
    fn try_parse(data: &[u8]) -> Result<Option<(usize, Self)>> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        match httparse::parse_headers(data, &mut headers)? {
            httparse::Status::Partial => Ok(None),
            httparse::Status::Complete((size, headers)) => Ok(Some((size, collect(headers)?))),
        }
    }
}
