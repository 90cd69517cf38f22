//! `Sec-WebSocket-Key` and its answer, `Sec-WebSocket-Accept` (RFC 6455 §4.1, §4.2.2).

use alloc::string::String;

use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use sha1_smol::Sha1;

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Decodes as the reference peers do: the four bits that belong to no byte may be anything.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&ALPHABET, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// The key for a nonce.
pub(super) fn encode(nonce: [u8; 16]) -> String {
    STANDARD.encode(nonce)
}

/// Whether `key` is the Base64 form of 16 bytes.
pub(super) fn is_valid(key: &[u8]) -> bool {
    // The decoder wants room for all that as many characters could stand for.
    LENIENT.decode_slice(key, &mut [0; 18]).is_ok_and(|len| len == 16)
}

/// The only right answer to `key`. The key is hashed as it was sent, never decoded.
pub(super) fn accept(key: &[u8]) -> [u8; 28] {
    let mut accept = [0; 28];
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(GUID);
    // It fits: 20 bytes are seven groups of three, the last one short of a byte.
    let _ = STANDARD.encode_slice(hash.digest().bytes(), &mut accept);
    accept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        assert_eq!(accept(b"dGhlIHNhbXBsZSBub25jZQ=="), *b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(encode(*b"the sample nonce"), "dGhlIHNhbXBsZSBub25jZQ==");
    }

    #[test]
    fn keys_of_sixteen_bytes() {
        assert!(is_valid(b"dGhlIHNhbXBsZSBub25jZQ=="));
        assert!(is_valid(b"dGhlIHNhbXBsZSBub25jZR=="), "stray bits at the end are harmless");
        for key in [
            &b""[..],
            b"dGhlIHNhbXBsZSBub25jZQ",
            b"dGhlIHNhbXBsZSBub25jZQ=",
            b"dGhlIHNhbXBsZSBub25jZQ== ",
            b"dGhlIHNhbXBsZSBub25j",
            b"dGhlIHNhbXBsZSBub25jZSE=",
            b"dGhlIHNhbXBsZSBub25jZQ==dGhlIHNhbXBsZSBub25jZQ==",
            b"dGhlIHNhbXBsZSBub25j_Q==",
            b"\xFFGhlIHNhbXBsZSBub25jZQ==",
            b"SGVsbG8sIHdvcmxkIQ==",
        ] {
            assert!(!is_valid(key), "{key:?}");
        }
    }
}
