//! One function per target. Each panics when what it checks does not hold.

mod chunking;
mod differential;
mod extensions;
mod frames;
mod handshake_client;
mod handshake_server;
mod inflate;
mod messages;
mod negotiate;

pub use self::chunking::chunking;
pub use self::differential::differential;
pub use self::extensions::{Extensions, extensions};
pub use self::frames::frames;
pub use self::handshake_client::{Client, handshake_client};
pub use self::handshake_server::{Request, handshake_server};
pub use self::inflate::{Inflate, inflate};
pub use self::messages::{Op, Script, messages};
pub use self::negotiate::{Negotiation, negotiate};
