//! Genes as header lines of a request that is otherwise as browsers make it.

use ws_test_support::random::Random;

use super::Gene;
use crate::subjects::REQUEST;

const NAMES: [&str; 12] = [
    "X",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Real-IP",
    "Cookie",
    "Authorization",
    "Connection",
    "Upgrade",
    "Forwarded",
    "Accept",
];

const PIECES: [&str; 16] = [
    "a",
    ",",
    ";",
    "=",
    " ",
    "\"a\"",
    "permessage-deflate",
    "client_max_window_bits",
    "10.0.0.1",
    "::1",
    "for=",
    "upgrade",
    "b;c",
    "a,",
    ";a=b",
    "\\",
];

/// The limits of a head, less what is there already.
const MOST_LINES: usize = 85;
const MOST: usize = 15_000;

pub(super) fn bytes_of(genes: &[Gene]) -> Vec<u8> {
    let mut lines = String::new();
    let mut count = 0;
    for gene in genes {
        let name = NAMES[usize::from(gene.kind) % NAMES.len()];
        for i in 0..1 + usize::from(gene.a % 30) {
            let mut random = Random(gene.seed);
            let pieces: Vec<&str> = (0..1 + random.below(4)).map(|_| PIECES[random.below(PIECES.len())]).collect();
            // Each a little different, where that may matter.
            let own = if gene.b & 0x100 == 0 { String::new() } else { format!("{i}") };
            let value = format!("{}{own}", pieces.concat()).repeat(usize::from(gene.b % 256));
            let line = format!("{name}: {}\r\n", value.trim());
            if count < MOST_LINES && lines.len() + line.len() < MOST {
                lines += &line;
                count += 1;
            }
        }
    }
    format!("{}\r\n{lines}\r\n", REQUEST.trim_end()).into()
}
