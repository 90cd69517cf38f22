//! The subprotocols and extensions that a client offers, and the check of the server's choice (RFC 6455 §4.1).

use alloc::string::String;
use alloc::vec::Vec;

use http::header::{SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION};
use http::{HeaderMap, HeaderValue};

use super::builder::BuildError;
use super::{Confirmed, HandshakeError};
use crate::handshake::extensions::{self, Extension};
use crate::handshake::fields::{first_duplicate, is_token};

/// The subprotocols and extensions that a client offers.
#[derive(Debug)]
pub(super) struct Offers {
    pub(super) subprotocols: Vec<String>,
    pub(super) requires_subprotocol: bool,
    pub(super) extensions: Vec<Extension>,
}

impl Offers {
    /// Appends the headers that requests of all versions have: the version, the offers, and those of the application.
    pub(super) fn append_headers(&self, headers: &mut HeaderMap, extra: &HeaderMap) -> Result<(), BuildError> {
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        if let Some(offer) = offer_subprotocols(&self.subprotocols)? {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, offer);
        }
        if let Some(offer) = offer_extensions(&self.extensions)? {
            headers.insert(SEC_WEBSOCKET_EXTENSIONS, offer);
        }
        // `extend` would panic where the handshake's own headers are the ones too many.
        for (name, value) in extra {
            headers.try_append(name.clone(), value.clone()).map_err(|_| BuildError::TooManyHeaders)?;
        }
        Ok(())
    }

    /// Checks that the server chose what was offered.
    pub(super) fn confirm(&self, headers: &HeaderMap) -> Result<Confirmed, HandshakeError> {
        let extensions = extensions::parse(headers).map_err(|_| HandshakeError::MalformedExtensions)?;
        let is_offered = |answer: &Extension| self.extensions.iter().any(|offer| offer.name == answer.name);
        if let Some(extension) = extensions.iter().find(|&answer| !is_offered(answer)) {
            return Err(HandshakeError::ExtensionNotOffered(extension.name.clone()));
        }
        Ok(Confirmed { subprotocol: self.confirm_subprotocol(headers)?, extensions })
    }

    fn confirm_subprotocol(&self, headers: &HeaderMap) -> Result<Option<String>, HandshakeError> {
        // An empty value counts as absent: some servers always send one.
        let mut lines = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter(|line| !line.is_empty());
        let Some(chosen) = lines.next() else {
            let missed = self.requires_subprotocol && !self.subprotocols.is_empty();
            return if missed { Err(HandshakeError::NoSubprotocol(self.subprotocols.clone())) } else { Ok(None) };
        };
        if lines.next().is_some() {
            return Err(HandshakeError::DuplicateHeader(SEC_WEBSOCKET_PROTOCOL));
        }
        let offered = self.subprotocols.iter().find(|offer| chosen == offer.as_str());
        offered.cloned().map(Some).ok_or_else(|| HandshakeError::SubprotocolNotOffered(chosen.clone()))
    }
}

fn offer_subprotocols(subprotocols: &[String]) -> Result<Option<HeaderValue>, BuildError> {
    let invalid = |name: &String| BuildError::Subprotocol(name.clone());
    if let Some(name) = subprotocols.iter().find(|name| !is_token(name.as_bytes())) {
        return Err(invalid(name));
    }
    if let Some(name) = first_duplicate(subprotocols) {
        return Err(BuildError::DuplicateSubprotocol(name.into()));
    }
    if subprotocols.is_empty() {
        return Ok(None);
    }
    let offer = HeaderValue::try_from(subprotocols.join(", "));
    offer.map(Some).map_err(|_| BuildError::HeaderValue(SEC_WEBSOCKET_PROTOCOL))
}

fn offer_extensions(extensions: &[Extension]) -> Result<Option<HeaderValue>, BuildError> {
    let is_fine = |extension: &Extension| {
        let params = extension.params.iter();
        let mut words = params.flat_map(|param| [Some(&param.name), param.value.as_ref()]).flatten();
        is_token(extension.name.as_bytes()) && words.all(|word| is_token(word.as_bytes()))
    };
    if let Some(extension) = extensions.iter().find(|extension| !is_fine(extension)) {
        return Err(BuildError::Extension(extension.name.clone()));
    }
    if extensions.is_empty() {
        return Ok(None);
    }
    let offer = HeaderValue::try_from(extensions::format(extensions));
    offer.map(Some).map_err(|_| BuildError::HeaderValue(SEC_WEBSOCKET_EXTENSIONS))
}
