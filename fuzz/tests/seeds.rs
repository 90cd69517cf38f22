//! Every seed, through its target, without a fuzzer: a fast check on any toolchain. `cargo test --test seeds [TARGET...]`

use std::path::Path;
use std::{env, fs};

use arbitrary::{Arbitrary, Unstructured};
use ws_fuzz::targets;

macro_rules! target {
    ($seeds:literal, $target:ident) => {
        (stringify!($target), $seeds, |bytes| {
            if let Ok(input) = Arbitrary::arbitrary_take_rest(Unstructured::new(bytes)) {
                targets::$target(input);
            }
        })
    };
}

/// Its name, the folder with its seeds, and what runs it.
type Target = (&'static str, &'static str, fn(&[u8]));

const TARGETS: [Target; 11] = [
    target!("wire", frames),
    target!("wire", differential),
    target!("wire", chunking),
    target!("messages", messages),
    target!("handshake_server", handshake_server),
    target!("handshake_client", handshake_client),
    target!("extensions", extensions),
    target!("deflate", deflate_inflate),
    target!("deflate", permessage_deflate),
    target!("deflate_compress", deflate_compress),
    target!("negotiate", negotiate),
];

fn main() {
    let wanted: Vec<String> = env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    for (target, seeds, run) in TARGETS {
        if !wanted.is_empty() && !wanted.iter().any(|name| name == target) {
            continue;
        }
        let mut paths: Vec<_> = fs::read_dir(folder.join(seeds))
            .expect("there are seeds")
            .map(|entry| entry.expect("a seed").path())
            .collect();
        paths.sort();
        println!("{target}: {} seeds", paths.len());
        for path in paths {
            let bytes = decode(&fs::read_to_string(&path).expect("seeds are text"));
            let name = path.display().to_string();
            let _case = Case(name);
            run(&bytes);
        }
    }
}

/// Says which seed it was, when one fails.
struct Case(String);

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed: {}", self.0);
        }
    }
}

/// The bytes of a seed, as `fuzz/run` decodes them too: lines that begin with `#` are comments, line ends and the blanks
/// around lines do not count, and `\xHH`, `\r`, `\n`, `\t` and `\\` are what they are in C.
fn decode(text: &str) -> Vec<u8> {
    let mut bytes = vec![];
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        let mut rest = line.as_bytes();
        while let Some((&byte, after)) = rest.split_first() {
            let (byte, len) = match (byte, after) {
                (b'\\', [b'x', high, low, ..]) => {
                    let digits = [*high, *low];
                    let digits = str::from_utf8(&digits).expect("two digits follow \\x");
                    (u8::from_str_radix(digits, 16).expect("two digits follow \\x"), 4)
                }
                (b'\\', [b'r', ..]) => (b'\r', 2),
                (b'\\', [b'n', ..]) => (b'\n', 2),
                (b'\\', [b't', ..]) => (b'\t', 2),
                (b'\\', [b'\\', ..]) => (b'\\', 2),
                (b'\\', _) => panic!("an escape that is none: {line}"),
                (byte, _) => (byte, 1),
            };
            bytes.push(byte);
            rest = &rest[len..];
        }
    }
    bytes
}
