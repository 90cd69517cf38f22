//! Extensions of the protocol (RFC 6455 §9), each in a folder of its own.
//!
//! An extension that transforms payloads is made of the same parts as [`permessage_deflate`], and is joined to the rest
//! at the same places:
//!
//! | part | what it does | joined at |
//! | --- | --- | --- |
//! | settings, and what was agreed on | plain values, public | `pub use` in `lib.rs` |
//! | negotiation | makes and reads the elements of `Sec-WebSocket-Extensions` | `handshake::extensions` has the syntax; the caller passes offers and answers on |
//! | the receiving side | turns a frame's payload into the message's, in place or a piece at a time, within the limits | a field of `Decoder`; `receive::header` admits the reserved bit, a module such as `receive::compressed` calls it |
//! | the sending side | turns a message's payload into that of its frames, or leaves it alone | a field of `Encoder`, which asks it before it makes a frame and sets the reserved bit |
//! | variants of prepared messages | are kept beside the plain frame | a field of `Prepared` |
//! | a setter | gives both directions what was agreed on, before the first byte | `Connection`, as `set_deflate` |
//!
//! Each direction holds one boxed value per extension and takes nothing without it. There is no trait: one extension is
//! registered (RFC 7692), and a second that transforms payloads would be applied in the order that was agreed on (RFC 6455
//! §9.1), which the fields of both directions would then become a list for. The modules here may import `frame`,
//! `message`, `error`, `config` and `handshake::extensions`, but nothing that imports them: not `receive`, `send`, `prepared`
//! or `connection`.

#[cfg(feature = "deflate")]
pub mod permessage_deflate;
