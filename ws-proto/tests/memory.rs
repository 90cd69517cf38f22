//! What a connection holds on the heap, counted by the allocator: whatever is received, no more than its limits and
//! 64 KiB at every moment, and nothing when nothing is under way.
//!
//! There are two counts of the same allocations. In the first a buffer that grows stays one buffer: this is what a
//! connection asks for, and what the limits are about. In the second growing is copying, the old buffer and the new one
//! side by side for a moment, as with an allocator that never grows a block in place. A message that is put together
//! is in one piece, so that moment can cost as much again: the second count stays within twice the limit.
//!
//! Everything runs on one thread without the usual harness, which would allocate beside it; the checks, and the figures
//! they measured, are printed. Arguments select checks by a part of their name.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::*;
use peak_alloc::PeakAlloc;
use peakmem_alloc::{PeakMemAlloc, PeakMemAllocTrait};
use ws_proto::{Buf, CloseCode, Config, Connection, Delivery, Event, Message, Role, Timestamp, Transport};

/// The outer counter takes growing for growing; the inner one knows nothing but allocating, copying and freeing.
#[global_allocator]
static ALLOCATOR: PeakMemAlloc<PeakAlloc> = PeakMemAlloc::new(PeakAlloc);

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// What may be held beyond the limits.
const SLACK: usize = 64 * KIB;

/// What a connection takes itself, wherever it is kept. Ten thousand of them that say nothing take 7 MB.
const STRUCT: usize = 704;

/// What is left when a connection has ended: the reasons of the Close frames, 123 bytes each.
const REASONS: usize = 512;

fn main() {
    let mut checks: Vec<(&str, fn())> = vec![
        ("the_struct_itself", the_struct_itself),
        ("an_idle_connection_holds_nothing", an_idle_connection_holds_nothing),
        ("nothing_is_held_between_messages", nothing_is_held_between_messages),
        ("a_header_costs_the_same_whatever_it_declares", a_header_costs_the_same_whatever_it_declares),
        ("a_message_in_one_read_costs_nothing", a_message_in_one_read_costs_nothing),
        ("memory_follows_what_arrives_up_to_the_limit", memory_follows_what_arrives_up_to_the_limit),
        ("without_a_limit_memory_still_follows_what_arrives", without_a_limit_memory_still_follows_what_arrives),
        ("chunks_are_never_held", chunks_are_never_held),
        ("floods_of_control_frames_add_up_to_nothing", floods_of_control_frames_add_up_to_nothing),
        ("pings_that_nobody_answers_do_not_add_up", pings_that_nobody_answers_do_not_add_up),
        ("what_cannot_be_written_stays_below_the_cap", what_cannot_be_written_stays_below_the_cap),
        ("the_end_lets_go_of_everything", the_end_lets_go_of_everything),
        ("whatever_is_received_in_any_order", whatever_is_received_in_any_order),
    ];
    if cfg!(feature = "deflate") {
        checks.extend(COMPRESSION);
    }
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let (mut passed, mut failed) = (0, vec![]);
    for &(name, check) in &checks {
        if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        println!("check {name}");
        match std::panic::catch_unwind(check) {
            Ok(()) => passed += 1,
            Err(_) => failed.push(name),
        }
    }
    let filtered = checks.len() - passed - failed.len();
    let result = if failed.is_empty() { "ok" } else { "FAILED" };
    println!("\ntest result: {result}. {passed} passed; {} failed {failed:?}; {filtered} filtered out", failed.len());
    std::process::exit(i32::from(!failed.is_empty()));
}

// ---- measuring ----

/// Counts from where it was started.
struct Meter {
    before: usize,
}

impl Meter {
    fn start() -> Self {
        ALLOCATOR.reset_peak_memory();
        PeakAlloc.reset_peak_usage();
        Self { before: PeakAlloc.current_usage() }
    }

    fn held(&self) -> usize {
        PeakAlloc.current_usage().checked_sub(self.before).expect("the check frees what is not the connection's")
    }

    /// The most there has been at a time.
    fn peak(&self) -> usize {
        ALLOCATOR.get_peak_memory()
    }

    /// The most there has been at a time, were every growing buffer copied.
    fn peak_copying(&self) -> usize {
        PeakAlloc.peak_usage().saturating_sub(self.before)
    }
}

/// A connection whose every byte on the heap is counted. The check must not keep what it allocates meanwhile.
struct Subject {
    connection: Connection,
    now: Timestamp,
    meter: Meter,
    /// What was read last; its memory was there before the connection.
    buffer: Vec<u8>,
    /// Whether messages are sent back.
    echoes: bool,
    /// How many messages and chunks came.
    came: usize,
    ended: bool,
}

/// The most that [`Subject::read`] takes at a time.
const READ: usize = MIB + 64;

impl Subject {
    fn new(role: Role, config: &Arc<Config>) -> Self {
        let buffer = Vec::with_capacity(READ);
        let now = Timestamp::ZERO;
        let meter = Meter::start();
        let connection = match role {
            Role::Server => Connection::server(config.clone(), now),
            Role::Client => Connection::client(config.clone(), || KEY, now),
        };
        Self { connection, now, meter, buffer, echoes: false, came: 0, ended: false }
    }

    /// One read. Events live no longer than their turn, but they count while they do.
    fn read(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= READ, "the buffer would grow");
        self.buffer.clear();
        self.buffer.extend_from_slice(bytes);
        let mut input = self.buffer.as_mut_slice();
        while let Some(event) = self.connection.receive(&mut input, self.now) {
            match event {
                Event::Message(message) => {
                    self.came += 1;
                    if self.echoes {
                        // Refused at the cap and after the end; the message goes either way.
                        let _ = self.connection.send(message.into_message());
                    }
                }
                Event::Chunk(_) => self.came += 1,
                Event::Closed(_) => self.ended = true,
                _ => {}
            }
        }
    }

    /// The transport takes up to `n` bytes.
    fn take(&mut self, mut n: usize) {
        while n > 0 && self.connection.outgoing().has_remaining() {
            let outgoing = self.connection.outgoing();
            let taken = outgoing.chunk().len().min(n);
            outgoing.advance(taken);
            n -= taken;
        }
    }

    /// What a driver does after each round.
    fn settle(&mut self) {
        self.connection.transport();
        self.connection.poll_timeout(self.now);
    }

    fn held(&self) -> usize {
        self.meter.held()
    }

    #[track_caller]
    fn assert_holds_nothing(&mut self, when: &str) {
        self.settle();
        assert_eq!(self.held(), 0, "{:?} {when}", self.connection);
    }

    /// At every moment so far: `limits` and 64 KiB; `grown` of them in buffers that grow.
    #[track_caller]
    fn assert_within(&self, limits: usize, grown: usize, what: std::fmt::Arguments<'_>) {
        let (peak, copying) = (self.meter.peak(), self.meter.peak_copying());
        assert!(self.held() <= peak.min(copying), "the counters disagree");
        assert!(peak <= limits.saturating_add(SLACK), "{what}: {peak} bytes held, {limits} is the limit");
        let most = limits.saturating_add(grown).saturating_add(SLACK);
        assert!(copying <= most, "{what}: {copying} bytes held while copying, {limits} is the limit");
    }
}

fn shared(change: impl FnOnce(&mut Config)) -> Arc<Config> {
    Arc::new(config(change))
}

fn limited(message: Option<usize>) -> Arc<Config> {
    shared(|config| {
        config.limits.message = message;
        config.limits.frame = message;
    })
}

// ---- nothing under way ----

fn the_struct_itself() {
    let size = size_of::<Connection>();
    println!("  a Connection is {size} bytes; the bound is {STRUCT}");
    if cfg!(target_pointer_width = "64") {
        assert!(size <= STRUCT, "a connection has grown to {size} bytes");
    }
}

fn an_idle_connection_holds_nothing() {
    for config in [Arc::new(Config::default()), Arc::new(chunks())] {
        for role in ROLES {
            let mut subject = Subject::new(role, &config);
            subject.assert_holds_nothing("at first");
            // An hour of keepalive.
            while subject.now < at(3600) {
                subject.now = subject.connection.poll_timeout(subject.now).unwrap();
                assert!(subject.connection.handle_timeout(subject.now).is_none());
                let ping = subject.connection.outgoing().chunk().to_vec();
                subject.take(usize::MAX);
                for frame in frames(role, &ping) {
                    subject.read(&to(role, PONG, frame.payload));
                }
                drop(ping);
                subject.assert_holds_nothing("between two pings");
            }
        }
    }
}

fn nothing_is_held_between_messages() {
    let text = "κόσμε 😀 ".repeat(20);
    for config in [Arc::new(Config::default()), Arc::new(chunks())] {
        for role in ROLES {
            let (front, back) = text.as_bytes().split_at(101); // inside a character
            let inputs = [
                to(role, TEXT, &text),
                to(role, BINARY, [0xFF; 5000]),
                to(role, TEXT, ""),
                all_to(role, &[(TEXT_BEGINS, front), (CONTINUES, b""), (PING, b"ping"), (LAST, back)]),
                to(role, PING, [b'p'; 125]),
                to(role, PONG, [b'p'; 125]),
                to(role, PING, "").repeat(40),
            ];
            for input in &inputs {
                for size in [1, 2, 3, 7, 100, input.len()] {
                    for echoes in [false, true] {
                        let mut subject = Subject::new(role, &config);
                        subject.echoes = echoes;
                        for _ in 0..3 {
                            input.chunks(size).for_each(|piece| subject.read(piece));
                            subject.take(usize::MAX);
                            subject.assert_holds_nothing("after a message");
                        }
                    }
                }
            }
            // What was sent and written is gone too, in steps of any size.
            for step in [1, 100, 4096, usize::MAX] {
                let mut subject = Subject::new(role, &config);
                for len in [0, 10, 4095, 4096, 100_000] {
                    subject.connection.send(Message::from(vec![7; len])).unwrap();
                    subject.connection.send_text(&text).unwrap();
                    subject.connection.send_fragment(Message::from(vec![7; len]), false).unwrap();
                    subject.connection.send_fragment(Message::from(vec![7; len]), true).unwrap();
                    while subject.connection.outgoing().has_remaining() {
                        subject.take(step);
                    }
                    subject.assert_holds_nothing("after writing");
                }
            }
        }
    }
}

/// While a message is coming in, what is known of it is on the heap: so much.
const BEGUN: usize = 88;

fn a_header_costs_the_same_whatever_it_declares() {
    for message in [Some(MIB), Some(1 << 40), None] {
        let config = limited(message);
        for role in ROLES {
            let most = message.map_or((1 << 63) - 1, |limit| limit as u64);
            for len in [1, 125, 126, 65_535, 65_536, most].into_iter().filter(|&len| len <= most) {
                for first in [TEXT, BINARY, TEXT_BEGINS, BINARY_BEGINS] {
                    let header = header_to(role, first, len);
                    let mut subject = Subject::new(role, &config);
                    for byte in &header {
                        subject.read(&[*byte]);
                        subject.settle();
                        assert!(subject.held() <= BEGUN, "{} bytes for a header", subject.held());
                    }
                    // And one byte of payload costs about one byte.
                    subject.read(b"x");
                    assert!(!subject.ended && subject.held() <= BEGUN + 8, "{} bytes for one", subject.held());
                }
            }
        }
    }
}

fn a_message_in_one_read_costs_nothing() {
    let config = Arc::new(Config::default());
    for role in ROLES {
        for len in [0, 1, 4096, MIB] {
            for first in [TEXT, BINARY] {
                let input = to(role, first, vec![b'x'; len]);
                let mut subject = Subject::new(role, &config);
                subject.read(&input);
                assert_eq!((subject.came, subject.meter.peak()), (1, 0));
            }
        }
    }
}

// ---- messages ----

/// How a stream is cut into reads.
#[derive(Clone, Copy, Debug)]
enum Reads {
    Of(usize),
    /// 1 byte, 2 bytes, 3 bytes...
    Growing,
    /// All but the last byte, then that: the most there is to copy.
    AllButOne,
}

impl Reads {
    /// How long the read is that comes after `n` others, with `left` bytes to go.
    fn size(self, n: usize, left: usize) -> usize {
        match self {
            Self::Of(size) => size,
            Self::Growing => n + 1,
            Self::AllButOne => left - 1,
        }
        .clamp(1, left)
    }
}

/// A message of `len` bytes in frames of `fragment` bytes, an empty one and a ping behind each but the last.
fn message(role: Role, is_text: bool, len: usize, fragment: usize) -> Vec<u8> {
    let letters: Vec<u8> =
        "aé€😀".bytes().cycle().take(len / 10 * 10).chain(std::iter::repeat_n(b'x', len % 10)).collect();
    let opcode = if is_text { TEXT_BEGINS } else { BINARY_BEGINS };
    if fragment >= len {
        return to(role, opcode | LAST, letters);
    }
    let mut out = vec![];
    let count = len.div_ceil(fragment);
    for (i, piece) in letters.chunks(fragment).enumerate() {
        let opcode = if i == 0 { opcode } else { CONTINUES };
        let is_last = i + 1 == count;
        out.extend(to(role, if is_last { opcode | LAST } else { opcode }, piece));
        if !is_last {
            out.extend(to(role, CONTINUES, ""));
            out.extend(to(role, PING, "p"));
        }
    }
    out
}

/// Feeds a message to a connection and checks at each step that what is held is in proportion to what has come; the
/// most that was held, in both counts.
fn follow(role: Role, config: &Arc<Config>, input: &[u8], reads: Reads, limit: usize) -> (usize, usize) {
    let mut subject = Subject::new(role, config);
    let (mut arrived, mut n) = (0, 0);
    while arrived < input.len() {
        let size = reads.size(n, input.len() - arrived);
        subject.read(&input[arrived..arrived + size]);
        (arrived, n) = (arrived + size, n + 1);
        // Twofold growth, or as much as was declared once a part of that has come; and some pongs.
        let growth = if arrived < 64 * KIB { 2 } else { 16 };
        let fair = (growth * arrived).min(limit) + 4 * KIB;
        assert!(subject.held() <= fair, "{role:?} {reads:?}: {} bytes for {arrived}", subject.held());
        subject.take(usize::MAX);
    }
    assert_eq!((subject.came, subject.ended), (1, false));
    subject.assert_within(limit, limit, format_args!("a message"));
    subject.assert_holds_nothing("after the message");
    (subject.meter.peak(), subject.meter.peak_copying())
}

fn memory_follows_what_arrives_up_to_the_limit() {
    let mut most = (0, 0);
    for (limit, reads) in [
        (MIB, &[Reads::Of(4096), Reads::Of(64 * KIB), Reads::Of(MIB), Reads::Growing, Reads::AllButOne][..]),
        (20 * KIB, &[Reads::Of(1), Reads::Of(2), Reads::Of(3), Reads::Of(1000), Reads::Growing, Reads::AllButOne]),
        (1, &[Reads::Of(1)]),
    ] {
        let config = limited(Some(limit));
        for role in ROLES {
            for is_text in [true, false] {
                for fragment in [limit, limit - 1, limit / 2 + 1, 1000, 100] {
                    // The number of fragments has a limit of its own.
                    if fragment == 0 || limit / fragment > 2000 {
                        continue;
                    }
                    let input = message(role, is_text, limit, fragment);
                    for &reads in reads {
                        if input.len() + 64 > READ && matches!(reads, Reads::Of(MIB) | Reads::AllButOne) {
                            continue;
                        }
                        let (peak, copying) = follow(role, &config, &input, reads, limit);
                        most = (most.0.max(peak), most.1.max(copying));
                    }
                }
            }
        }
    }
    println!("  at most {} bytes for a message of 1 MiB; {} while copying", most.0, most.1);
}

fn without_a_limit_memory_still_follows_what_arrives() {
    let config = limited(None);
    for role in ROLES {
        for (is_text, fragment) in [(true, 3 * MIB), (false, 100_000)] {
            let input = message(role, is_text, 3 * MIB, fragment);
            follow(role, &config, &input, Reads::Of(10_000), 6 * MIB);
        }
    }
}

fn chunks_are_never_held() {
    let config = shared(|config| {
        config.delivery = Delivery::Chunks;
        config.limits.message = None;
        config.limits.frame = None;
        config.limits.fragments = None;
    });
    for role in ROLES {
        for is_text in [true, false] {
            for (len, fragment, reads) in [
                (MIB, MIB, Reads::Of(4096)),
                (200_000, 100, Reads::Of(1001)),
                (50_000, 50_000, Reads::Of(1)),
                (50_000, 7, Reads::Of(3)),
            ] {
                let input = message(role, is_text, len, fragment);
                let mut subject = Subject::new(role, &config);
                let (mut arrived, mut n) = (0, 0);
                while arrived < input.len() {
                    let size = reads.size(n, input.len() - arrived);
                    subject.read(&input[arrived..arrived + size]);
                    (arrived, n) = (arrived + size, n + 1);
                    subject.take(usize::MAX);
                    assert!(subject.held() <= BEGUN + 16, "the beginning of a ping, and no more");
                }
                assert!(subject.came > 1 && !subject.ended);
                subject.assert_within(0, 0, format_args!("chunks"));
                subject.assert_holds_nothing("after the message");
            }
        }
    }
}

// ---- control frames ----

fn floods_of_control_frames_add_up_to_nothing() {
    let mut most = 0;
    for pongs in [2, 16, 1000] {
        let config = shared(|config| config.limits.pending_pongs = pongs);
        for role in ROLES {
            let floods = [
                to(role, PING, [b'p'; 125]),
                to(role, PING, ""),
                to(role, PONG, [b'p'; 125]),
                all_to(role, &[(PING, &[b'p'; 125]), (PONG, &[b'p'; 125]), (PING, b"")]),
            ];
            for flood in &floods {
                for inside_a_message in [false, true] {
                    // Each in a read of its own, many in one, and cut anywhere; written never, now and then, or slowly.
                    for (reads, taken) in [(1, 0), (50, 0), (1, 1), (7, 100), (50, 2000)] {
                        let batch = flood.repeat(reads);
                        let mut subject = Subject::new(role, &config);
                        if inside_a_message {
                            subject.read(&to(role, TEXT_BEGINS, "x"));
                        }
                        for round in 0..2500 / reads {
                            let (front, back) = batch.split_at(round % batch.len());
                            subject.read(front);
                            subject.read(back);
                            subject.take(taken);
                            subject.settle();
                        }
                        assert!(!subject.ended);
                        let what = format_args!("{pongs} pongs, {reads} in a read, {taken} taken");
                        subject.assert_within(pongs * 139, pongs * 139, what);
                        if pongs == 16 {
                            most = most.max(subject.meter.peak_copying());
                        }
                        subject.read(&to(role, if inside_a_message { LAST } else { PONG }, ""));
                        subject.take(usize::MAX);
                        subject.assert_holds_nothing("after the flood");
                    }
                }
            }
        }
    }
    println!("  at most {most} bytes for 16 pongs of 125 bytes");
}

fn pings_that_nobody_answers_do_not_add_up() {
    let mut most = 0;
    for pong in [Some(Duration::MAX), None] {
        let config = shared(|config| config.deadlines.pong = pong);
        for role in ROLES {
            let mut subject = Subject::new(role, &config);
            let mut refused = 0;
            for second in 0..5000 {
                subject.now = at(second);
                refused += usize::from(subject.connection.ping(subject.now).is_err());
                subject.connection.handle_timeout(subject.now);
                subject.take(usize::MAX);
                subject.settle();
            }
            assert!(!subject.ended && refused > 3000, "{refused} pings were refused");
            subject.assert_within(0, 0, format_args!("unanswered pings"));
            most = most.max(subject.meter.peak_copying());
        }
    }
    println!("  at most {most} bytes for pings that nobody has answered");
}

// ---- sending ----

/// Who sends without looking, to somebody who reads nothing or little: an echo, for one.
fn what_cannot_be_written_stays_below_the_cap() {
    let mut most = [0, 0];
    for (high_water, hard_cap) in [(64 * KIB, MIB + 64 * KIB), (0, 256 * KIB), (MIB, MIB)] {
        let config = shared(|config| {
            config.limits.high_water = high_water;
            config.limits.hard_cap = hard_cap;
        });
        for role in ROLES {
            for len in [0, 1, 16, 100, 125, 1000, 1300, 4095, 4096, 5000, 20_000, 33_000, 60_000, 100_000, MIB] {
                // Above the high-water mark a message must fit below the cap; below it a whole one may go over.
                let cap = hard_cap.max(high_water + len);
                let input = to(role, BINARY, vec![7; len]);
                for taken in [0, 1, 5000] {
                    let mut subject = Subject::new(role, &config);
                    subject.echoes = true;
                    for _ in 0..(2 * cap / (len + 2)).min(3000) + 4 {
                        subject.read(&input);
                        subject.take(taken);
                        subject.settle();
                    }
                    most[0] = most[0].max(subject.meter.peak().saturating_sub(cap + 2 * len));
                    most[1] = most[1].max(subject.meter.peak_copying().saturating_sub(cap + 2 * len));
                    // A message half-way out is still there as a whole, and so is one that is being copied in.
                    let what = format_args!("{role:?}, messages of {len} bytes, {taken} taken, cap {hard_cap}");
                    subject.assert_within(cap + 2 * len, 0, what);
                    subject.take(usize::MAX);
                    subject.assert_holds_nothing("after writing");
                }
            }
        }
    }
    println!("  at most {} bytes over the cap and two messages; {} while copying", most[0], most[1]);
}

// ---- the end ----

/// A way for a connection to end.
struct Ending {
    what: &'static str,
    end: fn(&mut Subject),
}

fn the_end_lets_go_of_everything() {
    let endings = [
        Ending {
            what: "a Close",
            end: |subject| subject.read(&to(subject.connection.role(), CLOSE, close_body(1000, [b'r'; 123]))),
        },
        Ending { what: "an invalid opcode", end: |subject| subject.read(&[0x83]) },
        Ending {
            what: "a header over the limit",
            end: |subject| {
                subject.read(&header_to(subject.connection.role(), CONTINUES, 1 << 40));
            },
        },
        Ending { what: "an end of the transport", end: |subject| drop(subject.connection.receive_eof(subject.now)) },
        Ending { what: "a failure of the transport", end: |subject| drop(subject.connection.fail()) },
        Ending { what: "an abort", end: |subject| drop(subject.connection.abort()) },
        Ending {
            what: "silence",
            end: |subject| {
                subject.now = at(61);
                subject.connection.handle_timeout(subject.now);
            },
        },
        Ending {
            what: "a Close of ours, and its answer",
            end: |subject| {
                subject.connection.close(close_frame(1000, &"r".repeat(123)), subject.now).unwrap();
                let role = subject.connection.role();
                subject.read(&to(role, LAST, "more"));
                subject.read(&to(role, CLOSE, close_body(1000, "")));
            },
        },
        Ending {
            what: "a Close whose answer waits for the application",
            end: |subject| {
                subject.connection.set_putting_off(true);
                subject.read(&to(subject.connection.role(), CLOSE, close_body(1000, "")));
                assert!(subject.connection.is_ending());
                assert!(subject.held() <= REASONS, "what came before is delivered or dropped by now");
                subject.connection.conclude(subject.now);
            },
        },
    ];
    for config in [Arc::new(Config::default()), Arc::new(chunks())] {
        for role in ROLES {
            let after = to(role, BINARY, vec![7; MIB]);
            for Ending { what, end } in &endings {
                for is_text in [true, false] {
                    let mut subject = Subject::new(role, &config);
                    // Half a message, a ping to be answered, a ping to be waited for.
                    subject.connection.ping(subject.now).unwrap();
                    subject.take(usize::MAX);
                    subject.read(&to(role, if is_text { TEXT_BEGINS } else { BINARY_BEGINS }, vec![b'x'; 100_000]));
                    subject.read(&to(role, PING, [b'p'; 125]));
                    subject.settle();
                    end(&mut subject);
                    subject.take(usize::MAX);
                    subject.settle();
                    assert!(subject.held() <= REASONS, "{role:?}, {what}: {:?}", subject.connection);
                    // What comes after it is thrown away.
                    subject.read(&after[..MIB / 2]);
                    subject.read(&after[MIB / 2..]);
                    subject.read(&to(role, TEXT_BEGINS, vec![b'x'; 100_000]));
                    subject.settle();
                    assert!(subject.held() <= REASONS, "{role:?}, {what}, then more: {:?}", subject.connection);
                    assert!(!subject.connection.is_open());
                }
            }
        }
    }
}

// ---- all of it ----

/// Appends what a peer might send next, most of it legal, to make a connection hold as much as it can.
fn next_frames(random: &mut Random, role: Role, in_message: &mut bool, payload: &[u8], out: &mut Vec<u8>) {
    let len = random.pick(&[0, 1, 3, 100, 125, 126, 1000, 5000, 20_000, 40_000, 50_000]);
    let mut add = |first: u8, payload: &[u8]| out.extend(to(role, first, payload));
    match random.below(12) {
        0 | 1 => add(PING, &payload[..random.pick(&[0, 8, 125])]),
        2 => add(PONG, &payload[..random.pick(&[0, 8, 125])]),
        3 if random.below(20) == 0 => out.extend(header_to(role, if *in_message { LAST } else { BINARY }, 40_000)),
        4 if random.below(20) == 0 => out.extend((0..random.below(20)).map(|_| random.next() as u8)),
        5 if random.below(20) == 0 => add(CLOSE, &close_body(1000, &payload[..random.below(100)])),
        n => {
            let is_last = random.below(3) == 0;
            let kind = if *in_message { CONTINUES } else { 1 + (n as u8 & 1) };
            *in_message = !is_last;
            add(if is_last { kind | LAST } else { kind }, &payload[..len]);
        }
    }
}

fn whatever_is_received_in_any_order() {
    const LIMIT: usize = 80_000;
    const CAP: usize = 60_000;
    let payload = vec![b'x'; 50_000];
    let (mut most, mut messages, mut ends) = (0, 0, 0);
    for seed in 1..=300 {
        let mut random = Random(seed);
        let role = random.pick(&ROLES);
        let delivery = random.pick(&[Delivery::Messages, Delivery::Messages, Delivery::Chunks]);
        let config = shared(|config| {
            config.limits.message = Some(LIMIT);
            config.limits.frame = Some(random.pick(&[LIMIT, 45_000]));
            config.limits.high_water = random.pick(&[0, 10_000]);
            config.limits.hard_cap = CAP;
            config.delivery = delivery;
        });
        let echoes = random.below(2) == 0;
        let mut in_message = false;
        let mut stream = vec![];
        while stream.len() < MIB / 2 && random.below(80) > 0 {
            next_frames(&mut random, role, &mut in_message, &payload, &mut stream);
        }

        let mut subject = Subject::new(role, &config);
        subject.echoes = echoes;
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let size = random.pick(&[1, 10, 1000, 10_000, 66_000, 300_000]).min(rest.len());
            let (piece, left) = rest.split_at(size);
            rest = left;
            subject.read(piece);
            if random.below(3) > 0 {
                subject.take(random.pick(&[0, 1, 100, 10_000, 10_000_000]));
            }
            subject.settle();
            if random.below(20) == 0 {
                subject.now = subject.now + Duration::from_secs(random.pick(&[0, 1, 19, 20]));
                subject.ended |= subject.connection.handle_timeout(subject.now).is_some();
            }
            if random.below(50) == 0 {
                let _ = subject.connection.ping(subject.now);
            }
        }
        // One message on its way in; what is queued, and a message on its way into the queue.
        let receiving = if delivery == Delivery::Messages { LIMIT } else { 0 };
        let sending = if echoes { CAP.max(10_000 + LIMIT) } else { 0 };
        subject.assert_within(receiving + sending, receiving, format_args!("seed {seed}"));
        most = most.max(subject.meter.peak().saturating_sub(receiving + sending));
        messages += subject.came;
        ends += usize::from(subject.ended);

        let _ = subject.connection.close(close_frame(u16::from(CloseCode::NORMAL), ""), subject.now);
        drop(subject.connection.receive_eof(subject.now));
        subject.take(usize::MAX);
        assert_eq!(subject.connection.transport(), Transport::Close);
        assert!(subject.held() <= REASONS, "seed {seed}: {:?}", subject.connection);
    }
    println!("  {messages} messages, {ends} ends; at most {most} bytes over the limits");
    assert!(messages > 1000 && (30..270).contains(&ends), "{messages} messages, {ends} ends");
}

// ---- compression ----

#[cfg(not(feature = "deflate"))]
const COMPRESSION: [(&str, fn()); 0] = [];

#[cfg(feature = "deflate")]
use compression::COMPRESSION;

#[cfg(feature = "deflate")]
mod compression {
    use ws_proto::deflate::{Agreed, Compress, Compressor};

    use super::*;

    pub(crate) const COMPRESSION: [(&str, fn()); 4] = [
        ("without_takeover_nothing_is_held_between_messages", without_takeover_nothing_is_held_between_messages),
        ("with_takeover_what_the_documentation_says", with_takeover_what_the_documentation_says),
        ("d3_a_bomb_stays_within_the_limit", d3_a_bomb_stays_within_the_limit),
        ("inflated_chunks_are_never_held", inflated_chunks_are_never_held),
    ];

    /// What a connection keeps of what was agreed on.
    const SETTINGS: usize = 256;
    const RSV1: u8 = 0x40;

    fn agreed(bits: u8, mem_level: u8, takeover: bool) -> Agreed {
        Agreed {
            send_window_bits: bits,
            receive_window_bits: bits,
            send_context_takeover: takeover,
            receive_context_takeover: takeover,
            level: 6,
            mem_level,
            threshold: 0,
        }
    }

    impl Subject {
        fn compressing(role: Role, config: &Arc<Config>, agreed: Agreed) -> Self {
            let mut subject = Self::new(role, config);
            subject.connection.set_deflate(Some(agreed));
            assert!(subject.held() <= SETTINGS, "{} bytes before the first message", subject.held());
            subject
        }
    }

    /// A message compressed alone, in a frame. It does not look back further than 512 bytes.
    fn frame_of(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
        let mut data = vec![];
        Compressor::for_one(payload.len(), 9, 6, 8).compress(payload, &mut data);
        data.truncate(data.len() - 4);
        to(role, first | RSV1, data)
    }

    /// Text that is compressed to about a third, different each time.
    fn texts() -> Vec<String> {
        let mut random = Random(3);
        [10, 1000, 5000, 100_000, 40_000, 1, 100]
            .map(|len| (0..len / 10 + 1).map(|_| format!("{:9} ", random.below(1 << 20))).collect())
            .into()
    }

    fn without_takeover_nothing_is_held_between_messages() {
        for role in ROLES {
            for bits in [9, 12, 15] {
                for config in [Arc::new(Config::default()), Arc::new(chunks())] {
                    let mut subject = Subject::compressing(role, &config, agreed(bits, 8, false));
                    let idle = subject.held();
                    for text in texts() {
                        let input = frame_of(role, TEXT, text.as_bytes());
                        let read = subject.held() - idle;
                        for size in [1, 1000, input.len()] {
                            input.chunks(size).for_each(|piece| subject.read(piece));
                            assert_eq!(subject.held() - idle, read, "after a message came in");
                        }
                        drop(input);
                        subject.connection.send_text(&text).unwrap();
                        subject.connection.send_with(text.clone().into(), Compress::Always).unwrap();
                        subject.connection.send_fragment(text.clone().into(), false).unwrap();
                        subject.connection.send_fragment("end".into(), true).unwrap();
                        subject.take(usize::MAX);
                        drop(text);
                        subject.settle();
                    }
                    let held = subject.held();
                    // The vector of texts was not there when counting began, and is gone.
                    assert_eq!(held, idle, "after messages went out");
                }
            }
        }
        println!("  at most {SETTINGS} bytes");
    }

    fn with_takeover_what_the_documentation_says() {
        const FOR_BOOKKEEPING: usize = 4 * KIB;
        for (bits, receiving, sending) in
            [(9, 1, 10), (10, 2, 12), (11, 4, 16), (12, 8, 24), (13, 16, 40), (14, 32, 72), (15, 48, 136)]
        {
            let mut most = [0, 0];
            for role in ROLES {
                let config = Arc::new(Config::default());
                let texts = texts();
                let inputs: Vec<_> = texts.iter().map(|text| frame_of(role, TEXT, text.as_bytes())).collect();
                let mut receives = Subject::compressing(role, &config, agreed(bits, 5, true));
                for input in &inputs {
                    receives.read(input);
                    most[0] = most[0].max(receives.held());
                }
                drop(receives);
                let mut sends = Subject::compressing(role, &config, agreed(bits, 5, true));
                for text in &texts {
                    sends.connection.send_text(text).unwrap();
                    sends.take(usize::MAX);
                    most[1] = most[1].max(sends.held());
                }
            }
            println!("  window {bits}: {} bytes for receiving, {} for sending", most[0], most[1]);
            assert!(most[0] <= receiving * KIB + FOR_BOOKKEEPING && most[1] <= sending * KIB + FOR_BOOKKEEPING);
            // So that what the documentation says is not far from the truth.
            assert!(most[0] * 3 >= receiving * KIB && most[1] * 2 >= sending * KIB);
        }
    }

    fn d3_a_bomb_stays_within_the_limit() {
        let bombs = [vec![b'x'; 40 * MIB], b"0123456789abcdef".repeat(MIB)];
        let mut most = 0;
        for bomb in &bombs {
            for role in ROLES {
                for first in [TEXT, BINARY] {
                    let input = frame_of(role, first, bomb);
                    for limit in [100, 64 * KIB, MIB] {
                        for bits in [9, 12, 15] {
                            for (delivery, size) in [
                                (Delivery::Messages, input.len()),
                                (Delivery::Messages, 100),
                                (Delivery::Chunks, input.len()),
                                (Delivery::Chunks, 100),
                            ] {
                                let config = shared(|config| {
                                    config.delivery = delivery;
                                    config.limits.message = Some(limit);
                                    // The compressed bytes are not what is being limited here.
                                    config.limits.frame = None;
                                });
                                let mut subject = Subject::compressing(role, &config, agreed(bits, 5, true));
                                input.chunks(size.min(READ)).for_each(|piece| subject.read(piece));
                                assert!(subject.ended);
                                let held = if delivery == Delivery::Messages { limit } else { 0 };
                                subject.assert_within(held, held, format_args!("a bomb, {delivery:?}, window {bits}"));
                                most = most.max(subject.meter.peak().saturating_sub(held));
                            }
                        }
                    }
                }
            }
        }
        println!("  at most the limit and {most} bytes");
    }

    fn inflated_chunks_are_never_held() {
        let config = shared(|config| {
            config.delivery = Delivery::Chunks;
            config.limits.message = None;
            config.limits.frame = None;
        });
        for role in ROLES {
            for bits in [9, 15] {
                let input = frame_of(role, BINARY, &vec![7; 20 * MIB]);
                let mut subject = Subject::compressing(role, &config, agreed(bits, 5, true));
                input.chunks(5000).for_each(|piece| subject.read(piece));
                assert!(subject.came > 2000 && !subject.ended);
                subject.assert_within(0, 0, format_args!("chunks of 20 MiB"));
            }
        }
    }
}
