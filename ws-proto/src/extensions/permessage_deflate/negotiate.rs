//! Offers and answers of permessage-deflate (RFC 7692 §7.1).

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::{Deflate, DeflateParams};
use crate::handshake::extensions::{Extension, Param};

const NAME: &str = "permessage-deflate";
const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// The window bits of the largest window, which an offer or answer need not name.
const MOST: u8 = 15;

impl Deflate {
    /// A client's offer. Offers with other settings may follow it in the header.
    pub fn offer(&self) -> Extension {
        let this = self.within_range();
        let mut params = Vec::new();
        if !this.receive_context_takeover {
            params.push(param(SERVER_NO_CONTEXT_TAKEOVER, None));
        }
        if !this.send_context_takeover {
            params.push(param(CLIENT_NO_CONTEXT_TAKEOVER, None));
        }
        if this.receive_window_bits < MOST {
            params.push(param(SERVER_MAX_WINDOW_BITS, Some(this.receive_window_bits)));
        }
        params.push(param(CLIENT_MAX_WINDOW_BITS, Some(this.send_window_bits).filter(|&bits| bits < MOST)));
        Extension { name: NAME.to_owned(), params }
    }

    /// A server's answer to the first acceptable offer, and the resulting parameters. `None` when there is no such offer: the
    /// connection opens without compression.
    ///
    /// The answer names only parameters of the offer, because some clients refuse others. Parameters that concern only our
    /// compressor apply without being named. The one exception is `client_no_context_takeover`, which a server may add (RFC
    /// 7692 §7.1.1.2). It is in the answer when [`receive_context_takeover`](Self::receive_context_takeover) is off,
    /// and when the offer does not let the client's window be limited to
    /// [`receive_window_bits`](Self::receive_window_bits): we would have to keep the last 32 KiB of its messages.
    ///
    /// Offers with an unknown parameter, a duplicate parameter or an invalid value are skipped (RFC 7692 §7.1).
    pub fn accept(&self, offers: &[Extension]) -> Option<(Extension, DeflateParams)> {
        offers.iter().filter(|offer| offer.name == NAME).find_map(|offer| {
            let offer = Params::parse(&offer.params, HeaderKind::Offer).ok()?;
            Some(self.answer(&offer))
        })
    }

    fn answer(&self, offer: &Params) -> (Extension, DeflateParams) {
        let this = self.within_range();
        let receive_window_bits = match offer.client_bits {
            Some(hint) => this.receive_window_bits.min(hint.unwrap_or(MOST)),
            None => MOST,
        };
        let client_may_take_over = this.receive_context_takeover && receive_window_bits <= this.receive_window_bits;
        let agreed = DeflateParams {
            send_window_bits: this.send_window_bits.min(offer.server_bits.unwrap_or(MOST)),
            receive_window_bits,
            send_context_takeover: this.send_context_takeover && !offer.server_no_context_takeover,
            receive_context_takeover: client_may_take_over && !offer.client_no_context_takeover,
            ..this.unlimited()
        };
        let mut params = Vec::new();
        if offer.server_no_context_takeover {
            params.push(param(SERVER_NO_CONTEXT_TAKEOVER, None));
        }
        if !agreed.receive_context_takeover {
            params.push(param(CLIENT_NO_CONTEXT_TAKEOVER, None));
        }
        if offer.server_bits.is_some() {
            params.push(param(SERVER_MAX_WINDOW_BITS, Some(agreed.send_window_bits)));
        }
        if agreed.receive_window_bits < MOST {
            params.push(param(CLIENT_MAX_WINDOW_BITS, Some(agreed.receive_window_bits)));
        }
        (Extension { name: NAME.to_owned(), params }, agreed)
    }

    /// The parameters that result from the server's answer to [`offer`](Self::offer). `answers` are all extensions in the
    /// answer. `None` when the server declined.
    ///
    /// # Errors
    ///
    /// When the answer does not fit the offer: then the connection must fail (RFC 7692 §7.1).
    pub fn confirm(&self, answers: &[Extension]) -> Result<Option<DeflateParams>, InvalidAnswer> {
        let answer = match answers {
            [] => return Ok(None),
            [answer] if answer.name == NAME => answer,
            [first, ..] => {
                let other = answers.iter().find(|answer| answer.name != NAME);
                return Err(other.map_or(InvalidAnswer::Twice(first.name.clone()), |other| {
                    InvalidAnswer::NotOffered(other.name.clone())
                }));
            }
        };
        let answer = Params::parse(&answer.params, HeaderKind::Answer)?;
        let this = self.within_range();
        if !this.receive_context_takeover && !answer.server_no_context_takeover {
            return Err(InvalidAnswer::Missing(SERVER_NO_CONTEXT_TAKEOVER));
        }
        if this.receive_window_bits < MOST {
            let bits = answer.server_bits.ok_or(InvalidAnswer::Missing(SERVER_MAX_WINDOW_BITS))?;
            if bits > this.receive_window_bits {
                return Err(InvalidAnswer::Value(SERVER_MAX_WINDOW_BITS.to_owned()));
            }
        }
        Ok(Some(DeflateParams {
            send_window_bits: this.send_window_bits.min(answer.client_bits.flatten().unwrap_or(MOST)),
            receive_window_bits: answer.server_bits.unwrap_or(MOST),
            send_context_takeover: this.send_context_takeover && !answer.client_no_context_takeover,
            receive_context_takeover: !answer.server_no_context_takeover,
            ..this.unlimited()
        }))
    }

    /// The settings with window bits outside the range replaced by the nearest value in it.
    fn within_range(&self) -> Self {
        Self {
            send_window_bits: self.send_window_bits.clamp(8, MOST),
            receive_window_bits: self.receive_window_bits.clamp(8, MOST),
            ..*self
        }
    }

    fn unlimited(&self) -> DeflateParams {
        DeflateParams {
            send_window_bits: MOST,
            receive_window_bits: MOST,
            send_context_takeover: true,
            receive_context_takeover: true,
            level: self.level,
            mem_level: self.mem_level,
            threshold: self.threshold,
        }
    }
}

/// An error of a server's answer (RFC 7692 §7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidAnswer {
    /// The answer names an extension that was not offered.
    NotOffered(String),
    /// The answer names an extension twice.
    Twice(String),
    /// The answer has an unknown parameter.
    Unknown(String),
    /// The answer has a parameter twice.
    Duplicate(String),
    /// The value of a parameter is invalid or missing.
    Value(String),
    /// The answer lacks this parameter, which the offer requires.
    Missing(&'static str),
}

impl fmt::Display for InvalidAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOffered(name) => write!(f, "extension {name:?} was not offered"),
            Self::Twice(name) => write!(f, "extension {name:?} answered twice"),
            Self::Unknown(name) => write!(f, "unknown parameter {name:?} of {NAME}"),
            Self::Duplicate(name) => write!(f, "parameter {name:?} of {NAME} given twice"),
            Self::Value(name) => write!(f, "invalid value of the parameter {name:?} of {NAME}"),
            Self::Missing(name) => write!(f, "the parameter {name:?} of {NAME} was offered and is not in the answer"),
        }
    }
}

impl core::error::Error for InvalidAnswer {}

#[derive(Clone, Copy, PartialEq, Eq)]
enum HeaderKind {
    Offer,
    Answer,
}

/// The parameters of an offer or an answer.
#[derive(Default)]
struct Params {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_bits: Option<u8>,
    /// A client may say that it understands the parameter, and leave the value to the server.
    client_bits: Option<Option<u8>>,
}

impl Params {
    fn parse(params: &[Param], kind: HeaderKind) -> Result<Self, InvalidAnswer> {
        let mut this = Self::default();
        for Param { name, value } in params {
            let invalid = || InvalidAnswer::Value(name.clone());
            let bits = value.as_deref().map(|value| parse_bits(value).ok_or_else(invalid)).transpose();
            let is_duplicate = match name.as_str() {
                SERVER_NO_CONTEXT_TAKEOVER | CLIENT_NO_CONTEXT_TAKEOVER if value.is_some() => return Err(invalid()),
                SERVER_NO_CONTEXT_TAKEOVER => core::mem::replace(&mut this.server_no_context_takeover, true),
                CLIENT_NO_CONTEXT_TAKEOVER => core::mem::replace(&mut this.client_no_context_takeover, true),
                SERVER_MAX_WINDOW_BITS => this.server_bits.replace(bits?.ok_or_else(invalid)?).is_some(),
                CLIENT_MAX_WINDOW_BITS => match bits? {
                    None if kind == HeaderKind::Answer => return Err(invalid()),
                    bits => this.client_bits.replace(bits).is_some(),
                },
                _ => return Err(InvalidAnswer::Unknown(name.clone())),
            };
            if is_duplicate {
                return Err(InvalidAnswer::Duplicate(name.clone()));
            }
        }
        Ok(this)
    }
}

/// A decimal number from 8 to 15 without leading zeros (RFC 7692 §7.1.2).
fn parse_bits(value: &str) -> Option<u8> {
    match value.as_bytes() {
        [digit @ b'8'..=b'9'] | [b'1', digit @ b'0'..=b'5'] => {
            Some(digit - b'0' + if value.len() == 2 { 10 } else { 0 })
        }
        _ => None,
    }
}

fn param(name: &str, bits: Option<u8>) -> Param {
    Param { name: name.to_owned(), value: bits.map(|bits| bits.to_string()) }
}
