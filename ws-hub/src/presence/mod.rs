//! Presence without I/O: members, and the lists of them that instances tell each other.

mod roster;
mod watchers;
mod wire;

use std::fmt;

use ws_session::ByteString;

pub(crate) use self::roster::{Changes, Roster};
pub(crate) use self::watchers::{Watcher, Watchers};
pub(crate) use self::wire::Word;

/// A member of a topic: a user, a device, whatever the application says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its ID, at most 255 bytes. Connections with one ID are one member.
    pub id: ByteString,
    /// A little data of it, at most 4 KiB: a name, a colour. The newest counts.
    pub data: ByteString,
}

impl Member {
    /// The longest ID, in bytes.
    pub const MAX_ID: usize = 255;
    /// The most data, in bytes.
    pub const MAX_DATA: usize = 4096;

    /// A member.
    ///
    /// # Errors
    ///
    /// If the ID or the data is too long.
    pub fn new(id: impl Into<ByteString>, data: impl Into<ByteString>) -> Result<Self, InvalidMember> {
        let (id, data) = (id.into(), data.into());
        if id.len() > Self::MAX_ID || data.len() > Self::MAX_DATA {
            return Err(InvalidMember { id: id.len(), data: data.len() });
        }
        Ok(Self { id, data })
    }
}

/// An ID or data of a member that are too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidMember {
    id: usize,
    data: usize,
}

impl fmt::Display for InvalidMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, data } = self;
        write!(
            f,
            "a member's ID of {id} bytes and data of {data} are more than {} and {}",
            Member::MAX_ID,
            Member::MAX_DATA
        )
    }
}

impl std::error::Error for InvalidMember {}

/// A change of the members of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PresenceEvent {
    /// All members there are: the first event of a [`PresenceWatch`](crate::PresenceWatch), and the first after it was too slow for others.
    Members(Vec<Member>),
    /// A member is new.
    Joined(Member),
    /// A member has other data.
    Changed(Member),
    /// A member has left.
    Left(Member),
}
