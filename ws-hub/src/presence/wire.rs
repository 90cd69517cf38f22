//! What instances tell each other about members: [`Word`] and its bytes.
//!
//! All numbers are big-endian. A word is its version, its kind, the instance (8 bytes) and the version of the instance's list
//! (8 bytes); then the members, each with the lengths of its ID and data (2 and 4 bytes) before them.

use ws_session::{ByteString, Bytes};

use super::Member;

/// The version of this format.
const VERSION: u8 = 1;

/// What an instance says of its members of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) instance: u64,
    /// The version of the instance's list of members after this word.
    pub(crate) version: u64,
    pub(crate) says: Says,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// An instance that has members is to send their list.
    Who,
    /// The list has not changed.
    Alive,
    /// A part of the list. `is_first` begins it, and `is_last` ends it.
    List { is_first: bool, is_last: bool, members: Vec<Member> },
    /// A member that is new, or has new data.
    Joined(Member),
    /// A member has left. Its data does not matter.
    Left(ByteString),
}

impl Word {
    pub(crate) fn encode(&self) -> Bytes {
        let (kind, members): (u8, &[Member]) = match &self.says {
            Says::Who => (0, &[]),
            Says::Alive => (1, &[]),
            Says::List { is_first, is_last, members } => (4 + u8::from(*is_first) + 2 * u8::from(*is_last), members),
            Says::Joined(member) => (2, std::slice::from_ref(member)),
            Says::Left(id) => return self.bytes(3, &[Member { id: id.clone(), data: ByteString::new() }]),
        };
        self.bytes(kind, members)
    }

    fn bytes(&self, kind: u8, members: &[Member]) -> Bytes {
        let mut bytes = vec![VERSION, kind];
        bytes.extend(self.instance.to_be_bytes());
        bytes.extend(self.version.to_be_bytes());
        for member in members {
            bytes.extend((member.id.len() as u16).to_be_bytes());
            bytes.extend((member.data.len() as u32).to_be_bytes());
            bytes.extend(member.id.as_bytes());
            bytes.extend(member.data.as_bytes());
        }
        bytes.into()
    }

    /// `None` for bytes that are no word of this version.
    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let [version, kind] = take::<2>(&mut bytes)?;
        if version != VERSION {
            return None;
        }
        let instance = u64::from_be_bytes(take(&mut bytes)?);
        let list_version = u64::from_be_bytes(take(&mut bytes)?);
        let mut members = Vec::new();
        while !bytes.is_empty() {
            let id = u16::from_be_bytes(take(&mut bytes)?);
            let data = u32::from_be_bytes(take(&mut bytes)?);
            let id = text(&mut bytes, id.into())?;
            let data = text(&mut bytes, usize::try_from(data).ok()?)?;
            members.push(Member { id, data });
        }
        let says = match kind {
            0 => Says::Who,
            1 => Says::Alive,
            2 => Says::Joined(members.pop()?),
            3 => Says::Left(members.pop()?.id),
            4..8 => Says::List { is_first: kind & 1 != 0, is_last: kind & 2 != 0, members },
            _ => return None,
        };
        Some(Self { instance, version: list_version, says })
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}

fn text(bytes: &mut &[u8], len: usize) -> Option<ByteString> {
    let (text, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(std::str::from_utf8(text).ok()?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, data: &str) -> Member {
        Member { id: id.into(), data: data.into() }
    }

    #[test]
    fn words_are_read_from_their_bytes_and_nothing_less() {
        let members = vec![member("a", ""), member("ü", "{}")];
        for says in [
            Says::Who,
            Says::Alive,
            Says::List { is_first: true, is_last: false, members: members.clone() },
            Says::List { is_first: false, is_last: true, members: vec![] },
            Says::Joined(member("a", "data")),
            Says::Left("a".into()),
        ] {
            let word = Word { instance: 7, version: u64::MAX, says };
            let bytes = word.encode();
            assert_eq!(Word::decode(&bytes), Some(word.clone()));
            for len in 0..bytes.len() {
                // A list can end after any member.
                assert!(Word::decode(&bytes[..len]).is_none_or(|other| other.says != word.says), "{len} of {word:?}");
            }
        }
        assert_eq!(Word::decode(&[2; 40]), None);
        assert_eq!(Word::decode(b"\x01\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\xff"), None);
    }
}
