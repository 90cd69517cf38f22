//! The memory of what is queued (`Memory::take_queue`).

use std::cell::RefCell;

use ws_proto::{Buf, CloseCode, CloseFrame, Message, Prepared};

use super::*;

/// What the worker has, and how often it was asked for it and got it back.
#[derive(Default)]
struct Worker {
    memory: Vec<u8>,
    taken: usize,
    given: usize,
}

thread_local! {
    static WORKER: RefCell<Worker> = RefCell::default();
}

/// Memory of the current thread.
#[derive(Debug)]
struct OfWorker;

impl Memory for OfWorker {
    fn take_queue(&self) -> Vec<u8> {
        WORKER.with_borrow_mut(|worker| {
            worker.taken += 1;
            std::mem::take(&mut worker.memory)
        })
    }

    fn give_queue(&self, memory: Vec<u8>) {
        WORKER.with_borrow_mut(|worker| {
            worker.given += 1;
            worker.memory = memory;
        });
    }
}

fn counts() -> (usize, usize) {
    WORKER.with_borrow(|worker| (worker.taken, worker.given))
}

fn capacity() -> usize {
    WORKER.with_borrow(|worker| worker.memory.capacity())
}

fn lent(role: Role) -> Connection {
    keeping(role, Config::default(), OfWorker)
}

/// Writes in steps of so many bytes.
fn written(connection: &mut Connection, step: usize) -> Vec<u8> {
    let mut bytes = vec![];
    while connection.outgoing().has_remaining() {
        let outgoing = connection.outgoing();
        let n = outgoing.chunk().len().min(step);
        bytes.extend_from_slice(&outgoing.chunk()[..n]);
        outgoing.advance(n);
    }
    bytes
}

fn queue_everything(connection: &mut Connection) {
    for len in [0, 5, 125, 126, 3000, 70_000, 1, 4096, 20_000, 3] {
        connection.send(Message::from(vec![len as u8; len])).unwrap();
        connection.send_binary(&vec![len as u8; len]).unwrap();
        connection.send_prepared(&Prepared::new(vec![len as u8; len])).unwrap();
    }
    connection.ping(NOW).unwrap();
    connection.close(CloseFrame::new(CloseCode::NORMAL, "bye"), NOW).unwrap();
}

#[test]
fn the_same_bytes_go_out_whatever_the_memory() {
    for role in ROLES {
        let mut plain = connection(role, Config::default());
        queue_everything(&mut plain);
        let expected = written(&mut plain, usize::MAX);
        for step in [1, 7, 1000, usize::MAX] {
            for mut lent in [lent(role), keeping(role, Config::default(), UsedBefore)] {
                queue_everything(&mut lent);
                assert_eq!(written(&mut lent, step), expected, "{role:?} {step}");
            }
        }
    }
}

#[test]
fn memory_is_lent_from_the_first_byte_queued_to_the_last_byte_written() {
    for role in ROLES {
        WORKER.take();
        let mut connection = lent(role);
        assert_eq!(counts(), (0, 0));
        connection.send_text("hello").unwrap();
        connection.send_text("again").unwrap();
        assert_eq!(counts(), (1, 0));
        let len = connection.outgoing().len();
        connection.outgoing().advance(len - 1);
        assert_eq!(counts(), (1, 0));
        connection.outgoing().advance(1);
        assert_eq!(counts(), (1, 1));
        let had = capacity();
        assert!(had > 0);

        connection.send_text("once more").unwrap();
        assert_eq!((counts(), capacity()), ((2, 1), 0));
        written(&mut connection, usize::MAX);
        assert_eq!((counts(), capacity()), ((2, 2), had), "the same memory");
    }
}

#[test]
fn another_connection_gets_none_while_it_is_lent() {
    WORKER.take();
    let (mut first, mut second) = (lent(Role::Server), lent(Role::Server));
    first.send_text("hello").unwrap();
    written(&mut first, usize::MAX);
    first.send_text("one").unwrap();
    second.send_text("two").unwrap();
    assert_eq!(written(&mut first, usize::MAX), b"\x81\x03one");
    assert_eq!(written(&mut second, usize::MAX), b"\x81\x03two");
    assert_eq!(counts(), (3, 3));
}

#[test]
fn a_grown_queue_goes_back_whole() {
    WORKER.take();
    let mut connection = lent(Role::Server);
    for _ in 0..50 {
        connection.send_binary(&[7; 100]).unwrap();
    }
    written(&mut connection, usize::MAX);
    let grown = capacity();
    assert!(grown >= 50 * 102, "{grown}");
    // The header of a message that is referred to needs little of it, and leaves it as it is.
    connection.send(Message::from(vec![7; 10_000])).unwrap();
    assert_eq!(connection.outgoing().chunk().len(), 4);
    written(&mut connection, usize::MAX);
    assert_eq!((counts(), capacity()), ((2, 2), grown));
}

#[test]
fn it_comes_back_from_a_connection_that_breaks() {
    WORKER.take();
    let mut broken = lent(Role::Server);
    broken.send_text("lost").unwrap();
    assert!(broken.fail().is_some());
    assert_eq!(counts(), (1, 1));
}

#[test]
fn references_to_payloads_need_no_memory() {
    WORKER.take();
    let mut connection = lent(Role::Server);
    connection.send_prepared(&Prepared::new(vec![7; 1000])).unwrap();
    written(&mut connection, usize::MAX);
    assert_eq!(counts(), (0, 0));
}
