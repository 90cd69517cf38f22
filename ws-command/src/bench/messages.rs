//! The messages that are sent.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use rand::rngs::SmallRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use ws_tokio::Message;

use super::BenchArgs;

/// The number of different messages, unless they come from a file.
const DIFFERENT: usize = 64;

/// Text is made of these, so that compression has something to do, as in real messages.
const WORDS: &[&str] =
    &["price", "volume", "time", "bid", "ask", "name", "true", "null", "id", "user", "event", "data"];

/// A size, or the ends of a range of sizes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    least: usize,
    most: usize,
}

impl FromStr for Sizes {
    type Err = &'static str;

    fn from_str(argument: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected a number of bytes up to 1073741824, or a range such as 16-1024";
        let size = |text: &str| text.parse().ok().filter(|size| *size <= 1 << 30).ok_or(EXPECTED);
        let (least, most) = argument.split_once('-').unwrap_or((argument, argument));
        let sizes = Self { least: size(least)?, most: size(most)? };
        if sizes.least > sizes.most { Err(EXPECTED) } else { Ok(sizes) }
    }
}

/// Messages that are sent in turn. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Messages(Arc<[Message]>);

impl Messages {
    /// The messages that the arguments describe. The error is a sentence.
    pub(super) fn new(args: &BenchArgs) -> Result<Self, String> {
        let messages = match (&args.file, &args.lines) {
            (Some(file), _) => vec![whole(file, args.binary)?],
            (None, Some(file)) => lines(file)?,
            (None, None) => random(args.size, args.binary, SmallRng::seed_from_u64(1)),
        };
        Ok(Self(messages.into()))
    }

    #[cfg(test)]
    pub(super) fn of_text(text: &str) -> Self {
        Self([Message::from(text)].into())
    }

    /// The message number `index`.
    pub(super) fn get(&self, index: u64) -> &Message {
        &self.0[usize::try_from(index % self.0.len() as u64).unwrap_or(0)]
    }
}

fn random(sizes: Sizes, binary: bool, mut random: SmallRng) -> Vec<Message> {
    let count = if sizes.least == sizes.most && sizes.least > 1 << 16 { 1 } else { DIFFERENT };
    let message = |_| {
        let size = random.random_range(sizes.least..=sizes.most);
        if binary {
            let mut bytes = vec![0; size];
            random.fill_bytes(&mut bytes);
            return Message::from(bytes);
        }
        let mut text = String::with_capacity(size + 16);
        while text.len() < size {
            text.push_str(WORDS[random.random_range(0..WORDS.len())]);
            text.push(' ');
        }
        text.truncate(size);
        Message::from(text)
    };
    (0..count).map(message).collect()
}

fn whole(file: &Path, binary: bool) -> Result<Message, String> {
    let bytes = read(file)?;
    if binary {
        return Ok(Message::from(bytes));
    }
    let text = String::from_utf8(bytes);
    text.map(Message::from).map_err(|_| format!("{} is not UTF-8: --binary sends it as it is.", file.display()))
}

fn lines(file: &Path) -> Result<Vec<Message>, String> {
    let text = String::from_utf8(read(file)?).map_err(|_| format!("{} is not UTF-8.", file.display()))?;
    let messages: Vec<_> = text.lines().map(Message::from).collect();
    if messages.is_empty() { Err(format!("{} is empty.", file.display())) } else { Ok(messages) }
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    let read = match file.to_str() {
        Some("-") => {
            let mut bytes = Vec::new();
            io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
        }
        _ => fs::read(file),
    };
    read.map_err(|error| format!("Cannot read {}: {error}.", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!("16".parse(), Ok(Sizes { least: 16, most: 16 }));
        assert_eq!("0-1024".parse(), Ok(Sizes { least: 0, most: 1024 }));
        for bad in ["", "-", "a", "2-1", "1-", "-1", "1073741825", "1-2-3"] {
            assert!(bad.parse::<Sizes>().is_err(), "{bad}");
        }
    }

    #[test]
    fn messages_have_their_size_and_differ() {
        for binary in [false, true] {
            let sizes = Sizes { least: 5, most: 300 };
            let messages = random(sizes, binary, SmallRng::seed_from_u64(1));
            assert!(messages.iter().all(|message| (5..=300).contains(&message.len()) && message.is_text() != binary));
            assert!(messages.iter().any(|message| message != &messages[0]));
            assert_eq!(messages, random(sizes, binary, SmallRng::seed_from_u64(1)), "the same in every run");
        }
    }
}
