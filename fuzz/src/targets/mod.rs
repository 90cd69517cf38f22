//! One function per target. Each panics when what it checks does not hold.

mod chunking;
mod deflate_compress;
mod deflate_inflate;
mod differential;
mod extensions;
mod frames;
mod handshake_client;
mod handshake_server;
mod messages;
mod negotiate;
mod permessage_deflate;

pub use self::chunking::chunking;
pub use self::deflate_compress::{Compress, deflate_compress};
pub use self::deflate_inflate::{Inflate, deflate_inflate};
pub use self::differential::differential;
pub use self::extensions::{Extensions, extensions};
pub use self::frames::frames;
pub use self::handshake_client::{Client, handshake_client};
pub use self::handshake_server::{Request, handshake_server};
pub use self::messages::{Op, Script, messages};
pub use self::negotiate::{Negotiation, negotiate};
pub use self::permessage_deflate::permessage_deflate;
