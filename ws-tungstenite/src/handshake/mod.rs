//! The opening handshake (RFC 6455 §4), over streams that block or do not.

pub mod client;
pub mod headers;
pub mod machine;
pub mod server;

use std::error::Error as StdError;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1_smol::Sha1;

use self::machine::HandshakeMachine;
use crate::error::Error;

/// An opening handshake that has begun. [`handshake`](Self::handshake) continues it.
#[derive(Debug)]
pub struct MidHandshake<Role: HandshakeRole> {
    role: Role,
    machine: HandshakeMachine<Role::InternalStream>,
}

impl<Role: HandshakeRole> MidHandshake<Role> {
    pub(crate) fn new(role: Role, stream: Role::InternalStream) -> Self {
        Self { role, machine: HandshakeMachine::new(stream) }
    }

    /// What holds the stream.
    pub fn get_ref(&self) -> &HandshakeMachine<Role::InternalStream> {
        &self.machine
    }

    /// What holds the stream, to be changed.
    pub fn get_mut(&mut self) -> &mut HandshakeMachine<Role::InternalStream> {
        &mut self.machine
    }

    /// Continues the handshake.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::Interrupted`] when the stream would block, and [`HandshakeError::Failure`].
    pub fn handshake(mut self) -> Result<Role::FinalResult, HandshakeError<Role>> {
        match self.role.proceed(&mut self.machine)? {
            false => Err(HandshakeError::Interrupted(self)),
            true => Ok(self.role.finish(self.machine.into_inner())?),
        }
    }
}

/// A handshake that did not come to its end.
pub enum HandshakeError<Role: HandshakeRole> {
    /// The stream would block. [`MidHandshake::handshake`] continues.
    Interrupted(MidHandshake<Role>),
    /// The handshake failed.
    Failure(Error),
}

impl<Role: HandshakeRole> fmt::Debug for HandshakeError<Role> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted(_) => f.write_str("Interrupted(..)"),
            Self::Failure(error) => f.debug_tuple("Failure").field(error).finish(),
        }
    }
}

impl<Role: HandshakeRole> fmt::Display for HandshakeError<Role> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted(_) => {
                f.write_str("the opening handshake was interrupted, because the stream would block")
            }
            Self::Failure(error) => error.fmt(f),
        }
    }
}

impl<Role: HandshakeRole> StdError for HandshakeError<Role> {}

impl<Role: HandshakeRole> From<Error> for HandshakeError<Role> {
    fn from(error: Error) -> Self {
        Self::Failure(error)
    }
}

/// A role in the opening handshake: [`client::ClientHandshake`] or [`server::ServerHandshake`].
pub trait HandshakeRole {
    #[doc(hidden)]
    type InternalStream;
    #[doc(hidden)]
    type FinalResult;

    /// Reads and writes until the handshake is over, or the stream would block (`false`).
    #[doc(hidden)]
    fn proceed(&mut self, machine: &mut HandshakeMachine<Self::InternalStream>) -> Result<bool, Error>;

    /// The result of a handshake that is over.
    #[doc(hidden)]
    fn finish(self, stream: Self::InternalStream) -> Result<Self::FinalResult, Error>;
}

/// The `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key` (RFC 6455 §4.2.2).
pub fn derive_accept_key(request_key: &[u8]) -> String {
    let mut sha1 = Sha1::from(request_key);
    sha1.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(sha1.digest().bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_the_rfc() {
        assert_eq!(derive_accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
