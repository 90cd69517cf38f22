//! Messages to compress. The same ones in every run.

use ws_test_support::random::Random;

/// Prose: runs of words are taken from it.
const LICENSE: &str = include_str!("../../../LICENSE-APACHE");

/// So many bytes of different messages, so that none comes again while a window of 32 KiB can hold it.
const BYTES: usize = 96 << 10;

/// At the least so many messages.
const MESSAGES: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Json,
    Text,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Text => "text",
        }
    }

    /// Different messages of exactly `size` bytes.
    pub fn messages(self, size: usize) -> Vec<Vec<u8>> {
        let mut random = Random(0x9E37_79B9 + size as u64);
        (0..MESSAGES.max(BYTES / size)).map(|index| self.message(size, index, &mut random)).collect()
    }

    fn message(self, size: usize, index: usize, random: &mut Random) -> Vec<u8> {
        let mut text = String::new();
        match self {
            Self::Json => {
                text += &format!("{{\"type\":\"update\",\"sequence\":{index},\"items\":[");
                while text.len() < size {
                    text += &item(random);
                }
            }
            Self::Text => {
                let words: Vec<&str> = LICENSE.split_whitespace().collect();
                while text.len() < size {
                    let run = 2 + random.below(6);
                    let from = random.below(words.len() - run);
                    text += &words[from..from + run].join(" ");
                    text += if random.below(4) == 0 { ". " } else { " " };
                }
            }
        }
        text.truncate(size);
        text.into_bytes()
    }
}

fn item(random: &mut Random) -> String {
    let id = random.below(1_000_000);
    let symbol = ["AAPL", "MSFT", "GOOG", "AMZN", "NVDA", "TSLA", "META", "INTC"][random.below(8)];
    let side = ["buy", "sell"][random.below(2)];
    let (price, cents, amount) = (random.below(900) + 10, random.below(100), random.below(5000));
    format!(
        "{{\"id\":{id},\"symbol\":\"{symbol}\",\"side\":\"{side}\",\"price\":{price}.{cents:02},\"amount\":{amount}}},"
    )
}
