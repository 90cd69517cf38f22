//! How connections end: by a handshake, by a fault, by a handler, by a broken transport, by time.

mod common;

use std::io::{ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use common::*;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use ws_tokio::{
    Addresses, Cause, Client, CloseCode, CloseFrame, Error, HandlerError, Message, Outcome, Server, TokioIo, Violation,
    WebSocket,
};

/// A handler that receives until the end and tells what that was.
fn telling(
    tell: mpsc::UnboundedSender<(Vec<Message>, Result<(), Error>)>,
) -> impl Fn(WebSocket) -> Pin<Box<dyn Future<Output = ws_tokio::HandlerResult> + Send>> + Send + Sync {
    move |mut ws| {
        let tell = tell.clone();
        Box::pin(async move {
            let mut messages = Vec::new();
            let end = loop {
                match ws.recv().await {
                    Ok(Some(message)) => messages.push(message),
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            tell.send((messages, end))?;
            Ok(())
        })
    }
}

fn outcome(error: &Error) -> &Outcome {
    error.closed().expect("the end of the connection").outcome()
}

#[tokio::test]
async fn a_clients_close_is_known_at_both_ends() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let server = start(Server::new(), telling(tell)).await;
    for (code, reason, is_normal) in
        [(1000, "done", true), (1001, "", true), (1005, "", true), (1011, "oops", false), (4321, "ünïcode", false)]
    {
        let mut ws = server.connect().await;
        ws.send("last words").await.unwrap();
        let outcome = in_time(ws.close(code.into(), reason)).await.unwrap();
        assert!(outcome.is_clean(), "{outcome}");
        assert_eq!(outcome.cause, Cause::Local);
        assert_eq!(outcome.sent, Some(CloseFrame::new(code.into(), reason)));
        assert_eq!(u16::from(outcome.code()), code, "the answer repeats the code");

        let (messages, end) = in_time(told.recv()).await.unwrap();
        assert_eq!(messages, [Message::from("last words")], "first the messages, then the end");
        match end {
            Ok(()) => assert!(is_normal, "{code}"),
            Err(error) => {
                assert!(!is_normal, "{code}: {error}");
                let outcome = self::outcome(&error);
                assert_eq!((u16::from(outcome.code()), outcome.reason()), (code, reason));
                assert_eq!(outcome.cause, Cause::Peer);
                assert!(error.closed().unwrap().io_error().is_none());
            }
        }
        // What was said of the end is said again.
        assert_eq!(in_time(ws.recv()).await.is_ok(), is_normal);
        assert_eq!(in_time(ws.recv()).await.is_ok(), is_normal);
        assert_eq!(in_time(ws.close(4000.into(), "again")).await.unwrap(), outcome, "the first close counts");
        assert!(matches!(ws.send("too late").await, Err(Error::Closed(_))));
    }
    server.stop().await;
}

#[tokio::test]
async fn codes_that_must_not_be_sent_change_nothing() {
    let server = start(Server::new(), echo).await;
    let mut ws = server.connect().await;
    for code in [0, 999, 1004, 1006, 1015, 2999, 5000, 65_535] {
        let refused = in_time(ws.close(code.into(), "")).await.unwrap_err();
        assert!(matches!(refused, Error::CloseCode(refused) if refused == code.into()), "{refused}");
    }
    ws.send("still open").await.unwrap();
    assert_eq!(text(&mut ws).await, "still open");
    close(ws).await;
    server.stop().await;
}

#[tokio::test]
async fn a_long_reason_is_cut_at_a_character() {
    let server = start(Server::new(), |ws| async move {
        ws.close(4000.into(), &"é".repeat(100)).await?;
        Ok(())
    })
    .await;
    let mut raw = server.raw_upgraded().await;
    assert_eq!(raw.close_frame().await, (4000, "é".repeat(61)));
    raw.write(masked(0x88, close_body(4000, ""))).await;
    drop(raw);
    server.stop().await;
}

#[tokio::test]
async fn the_server_closes_tcp_first() {
    let server = start(Server::new(), |ws| async move {
        match ws.request().uri().path() {
            "/" => drain(ws).await,
            _ => Ok(()),
        }
    })
    .await;
    for path in ["/", "/leave"] {
        let mut raw = server.raw().await;
        raw.upgrade(path).await;
        if path == "/" {
            raw.write(masked(0x88, close_body(1000, "bye"))).await;
            assert_eq!(raw.close_frame().await, (1000, String::new()));
        } else {
            assert_eq!(raw.close_frame().await, (1000, String::new()));
            raw.write(masked(0x88, close_body(1000, ""))).await;
        }
        assert_eq!(raw.rest().await, b"", "the end, without ours");
    }
    until(|| server.handle.connections() == 0).await;
    server.stop().await;
}

#[tokio::test]
async fn a_handlers_end_is_the_connections() {
    let server = start(Server::new(), |mut ws| async move {
        match ws.recv().await?.as_ref().and_then(Message::as_text) {
            Some("ok") => Ok(()),
            Some("error") => Err("it failed on purpose".into()),
            Some("panic") => panic!("it panics on purpose"),
            other => Err(format!("{other:?}").into()),
        }
    })
    .await;
    for (message, expected) in
        [("ok", (1000, "")), ("error", (1011, "internal error")), ("panic", (1011, "internal error"))]
    {
        let mut ws = server.connect().await;
        ws.send(message).await.unwrap();
        assert_eq!(ending(&mut ws).await, (expected.0, expected.1.to_owned()), "{message}");
    }
    close(server.connect().await).await;
    server.stop().await;
}

#[tokio::test]
async fn what_a_handler_sent_goes_out_before_its_close() {
    let server = start(Server::new(), |ws| async move {
        for n in 0..10_u8 {
            ws.send(vec![n; 50_000]).await?;
        }
        Ok(())
    })
    .await;
    let mut ws = server.connect().await;
    for n in 0..10 {
        assert_eq!(in_time(ws.recv()).await.unwrap(), Some(Message::from(vec![n; 50_000])));
    }
    assert_eq!(ending(&mut ws).await, (1000, String::new()));
    server.stop().await;
}

#[tokio::test]
async fn run_tells_how_the_handler_failed() {
    let (near, far) = tokio::io::duplex(KIB);
    let mut raw = Raw::new(near);
    let server = Server::new();
    let accepting = server.accept(TokioIo::new(far), Addresses::default());
    let (accepted, ()) = in_time(async { tokio::join!(accepting, raw.upgrade("/")) }).await;
    let (ws, driver) = accepted.unwrap();
    let running = tokio::spawn(driver.run(async move {
        let _ws = ws;
        panic!("on {}", "purpose")
    }));
    assert_eq!(raw.close_frame().await, (1011, "internal error".to_owned()));
    raw.write(masked(0x88, close_body(1011, ""))).await;
    raw.finish().await;
    let error = in_time(running).await.unwrap().unwrap_err();
    assert!(matches!(&error, HandlerError::Panicked(says) if says == "on purpose"), "{error:?}");
}

#[tokio::test]
async fn a_dropped_client_says_going_away() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let server = start(Server::new(), telling(tell)).await;
    let ws = server.connect().await;
    let sender = ws.sender();
    ws.send("before").await.unwrap();
    drop(ws);
    let (messages, end) = in_time(told.recv()).await.unwrap();
    assert_eq!(messages, [Message::from("before")]);
    end.unwrap();
    let outcome = in_time(sender.closed()).await;
    assert_eq!(outcome.sent, Some(CloseFrame::new(CloseCode::GOING_AWAY, "")));
    assert!(outcome.is_clean());

    let mut raw = {
        let (ws, raw) = piped_client(Client::new("ws://test/")).await;
        drop(ws);
        raw
    };
    assert_eq!(raw.close_frame().await, (1001, String::new()));
    server.stop().await;
}

#[tokio::test]
async fn a_dropped_handle_of_accept_says_going_away() {
    let (ws, mut raw) = piped_server(Server::new()).await;
    drop(ws);
    assert_eq!(raw.close_frame().await, (1001, String::new()));
}

#[tokio::test]
async fn when_both_close_at_once() {
    let (server, client) = piped(Server::new(), Client::new("ws://test/")).await;
    let (ours, theirs) =
        in_time(async { tokio::join!(server.close(4001.into(), "server"), client.close(4002.into(), "client")) }).await;
    let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
    assert_eq!((u16::from(ours.code()), ours.reason()), (4002, "client"));
    assert_eq!((u16::from(theirs.code()), theirs.reason()), (4001, "server"));
    assert!(ours.is_clean() && theirs.is_clean());
}

#[tokio::test]
async fn messages_still_come_in_while_we_close() {
    let (mut ws, mut raw) = piped_server(Server::new()).await;
    let closing = ws.close(CloseCode::NORMAL, "");
    drop(closing);
    assert_eq!(raw.close_frame().await, (1000, String::new()));
    assert!(ws.send("not after our Close").await.is_err());
    raw.write([masked(0x81, "one"), masked(0x81, "two"), masked(0x88, close_body(1000, ""))].concat()).await;
    assert_eq!(text(&mut ws).await, "one");
    assert_eq!(text(&mut ws).await, "two");
    assert_eq!(in_time(ws.recv()).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_close_is_not_held_up_by_messages_that_nobody_takes() {
    let (ws, mut raw) = piped_server(Server::new().inbound_queue(2)).await;
    let started = Instant::now();
    // More than the inbound queue holds, before the answer to our Close.
    raw.write(masked(0x81, "unasked").repeat(10)).await;
    settle().await;
    let peer = async {
        let (first, _) = raw.frame().await;
        assert_eq!(first, 0x88);
        raw.write(masked(0x88, close_body(1000, ""))).await;
        raw.finish().await;
    };
    let (closed, ()) = in_time(async { tokio::join!(ws.close(CloseCode::NORMAL, ""), peer) }).await;
    assert_eq!(started.elapsed(), Duration::ZERO, "it took the closing deadline: {closed:?}");
    assert!(closed.unwrap().is_clean());
}

#[tokio::test]
async fn a_close_is_no_success_when_not_all_was_written() {
    let (ws, mut raw) = piped_server(Server::new()).await;
    ws.send(pattern(MIB)).await.unwrap();
    let peer = async {
        // Its Close is there, and it leaves without having read ours, nor what was before it.
        raw.write(masked(0x88, close_body(1000, ""))).await;
        drop(raw);
    };
    let (closed, ()) = in_time(async { tokio::join!(ws.close(CloseCode::NORMAL, ""), peer) }).await;
    let error = closed.unwrap_err();
    assert_eq!(outcome(&error).received, Some(CloseFrame::new(CloseCode::NORMAL, "")), "{error}");
    assert!(in_time(ws.flush()).await.is_err());
}

#[tokio::test]
async fn what_was_not_taken_while_waiting_for_the_end_is_not_passed_over_in_silence() {
    let (mut ws, mut raw) = piped_server(Server::new().inbound_queue(4)).await;
    for n in 0..10_u8 {
        raw.write(masked(0x82, [n])).await;
    }
    tokio::select! {
        biased;
        outcome = ws.closed() => panic!("{outcome}"),
        () = settle() => {}
    }
    // Back from waiting: what comes is either complete, or an error says that it is not.
    let mut came = Vec::new();
    loop {
        tokio::select! {
            biased;
            message = ws.recv() => match message {
                Ok(message) => came.push(message.expect("the connection is open").as_bytes()[0]),
                Err(_) => break,
            },
            () = settle() => panic!("of ten messages {came:?} came, and nothing says that the others do not"),
        }
        if came.len() == 10 {
            break;
        }
    }
    assert_eq!(came, (0..came.len() as u8).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_closes_waits_for_no_handler_that_only_sends() {
    let (ws, mut raw) = piped_server(Server::new()).await;
    let started = Instant::now();
    ws.send("pushed").await.unwrap();
    assert_eq!(raw.frame().await, (0x81, b"pushed".to_vec()));
    raw.write(masked(0x88, close_body(1000, ""))).await;
    // Nothing came that could still be answered.
    let (outcome, answer) = in_time(async {
        tokio::join!(ws.closed(), async {
            let answer = raw.close_frame().await;
            raw.finish().await;
            answer
        })
    })
    .await;
    assert_eq!(answer, (1000, String::new()));
    assert!(outcome.is_clean());
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn a_fault_is_answered_and_reported() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let server = start(Server::new(), telling(tell)).await;
    for (bytes, code, violation) in [
        (vec![0xC1, 0x80, 0, 0, 0, 0], 1002, Violation::ReservedBits),
        (vec![0x83, 0x80, 0, 0, 0, 0], 1002, Violation::ReservedOpcode(3)),
        (frame(0x81, "Hello", None), 1002, Violation::Unmasked),
        (masked(0x80, ""), 1002, Violation::UnexpectedContinuation),
        (masked(0x81, b"\xFF"), 1007, Violation::InvalidUtf8),
        (masked(0x88, [0x03]), 1002, Violation::TruncatedCloseCode),
        (masked(0x88, close_body(1006, "")), 1002, Violation::InvalidCloseCode(1006)),
    ] {
        let mut raw = server.raw_upgraded().await;
        raw.write([masked(0x82, "whole"), bytes].concat()).await;
        assert_eq!(raw.close_frame().await, (code, violation.to_string()));
        assert_eq!(raw.rest().await, b"");
        let (messages, end) = in_time(told.recv()).await.unwrap();
        assert_eq!(messages, [Message::from(b"whole")]);
        assert_eq!(outcome(&end.unwrap_err()).cause, Cause::Violation(violation));
    }
    server.stop().await;
}

#[tokio::test]
async fn an_error_close_reaches_a_peer_that_still_sends() {
    let server = start(Server::new(), drain).await;
    let mut raw = server.raw_upgraded().await;
    // The fault is in the first byte; the peer has sent all of this before it looks.
    let mut bytes = vec![0x83];
    bytes.resize(MIB, b'x');
    raw.write(bytes).await;
    assert_eq!(raw.close_frame().await.0, 1002);
    raw.finish().await;
    assert_eq!(raw.rest().await, b"", "the end, not a reset");

    // One that goes on until it sees the Close.
    let Raw { stream, .. } = server.raw_upgraded().await;
    let (read, mut write) = stream.into_split();
    let sending = tokio::spawn(async move {
        write.write_all(&[0x83]).await.unwrap();
        loop {
            if let Err(error) = write.write_all(&[b'x'; KIB]).await {
                return error.kind();
            }
            tokio::task::yield_now().await;
        }
    });
    let mut reading = Raw::new(tokio::io::join(read, tokio::io::sink()));
    assert_eq!(reading.close_frame().await.0, 1002);
    sending.abort();
    server.stop().await;
}

/// A client sends a message far over the server's limit. Whatever the timing, it is told so: the Close is in its socket
/// before the connection breaks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_in_the_midst_of_a_huge_message_learns_why_it_is_not_wanted() {
    let server = start(Server::new(), drain).await;
    for _ in 0..10 {
        let mut ws = server.connect().await;
        ws.send(vec![0; 16 * MIB]).await.unwrap();
        let error = in_time(ws.recv()).await.unwrap_err();
        assert_eq!(u16::from(outcome(&error).code()), 1009, "{error}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_reset_in_the_midst_of_a_frame() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let server = start(Server::new(), telling(tell)).await;
    let mut raw = server.raw_upgraded().await;
    raw.write([masked(0x81, "whole"), masked(0x81, "cut off")[..9].to_vec()].concat()).await;
    raw.stream.set_zero_linger().unwrap();
    drop(raw);
    let (messages, end) = in_time(told.recv()).await.unwrap();
    assert_eq!(messages, [Message::from("whole")]);
    let error = end.unwrap_err();
    assert_eq!(outcome(&error).code(), CloseCode::ABNORMAL);
    assert_eq!(outcome(&error).cause, Cause::TransportFailed);
    let io = error.closed().unwrap().io_error().expect("the I/O error");
    assert_eq!(io.kind(), ErrorKind::ConnectionReset);
    server.stop().await;
}

#[tokio::test]
async fn an_end_in_the_midst_of_a_frame() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let server = start(Server::new(), telling(tell)).await;
    let mut raw = server.raw_upgraded().await;
    raw.write([masked(0x81, "whole"), masked(0x81, "cut off")[..9].to_vec()].concat()).await;
    raw.finish().await;
    assert_eq!(raw.rest().await, b"");
    let (messages, end) = in_time(told.recv()).await.unwrap();
    assert_eq!(messages, [Message::from("whole")]);
    let error = end.unwrap_err();
    assert_eq!((outcome(&error).code(), &outcome(&error).cause), (CloseCode::ABNORMAL, &Cause::Eof));
    assert!(error.closed().unwrap().io_error().is_none());
    server.stop().await;
}

/// What is to be read is there; what is written after the handshake's answer fails.
struct Deaf {
    input: Vec<u8>,
    answered: bool,
}

impl AsyncRead for Deaf {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        // In two pieces: what lies behind the request is still to be read when the first write fails.
        let end = self.input.windows(4).position(|four| four == b"\r\n\r\n").map_or(self.input.len(), |at| at + 4);
        buffer.put_slice(&self.input[..end]);
        self.input.drain(..end);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Deaf {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        if self.answered {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        self.answered = bytes.ends_with(b"\r\n\r\n");
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        self.poll_write(cx, &slices[0])
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_write_that_fails_loses_nothing_that_had_come() {
    for farewell in [vec![], masked(0x88, close_body(4000, "why"))] {
        let closed = !farewell.is_empty();
        let input = [request("/", &[]).into_bytes(), masked(0x81, "one"), masked(0x81, "two"), farewell].concat();
        let stream = TokioIo::new(Deaf { input, answered: false });
        let (mut ws, driver) = Server::new().accept(stream, Addresses::default()).await.unwrap();
        ws.send("this fails").await.unwrap();
        tokio::spawn(driver);
        let mut came = Vec::new();
        let error = loop {
            match in_time(ws.recv()).await {
                Ok(Some(message)) => came.push(message),
                Ok(None) => panic!("the connection did not end as it should"),
                Err(error) => break error,
            }
        };
        assert_eq!(came, [Message::from("one"), Message::from("two")], "{error}");
        match closed {
            true => assert_eq!((u16::from(outcome(&error).code()), outcome(&error).reason()), (4000, "why")),
            false => {
                assert_eq!(outcome(&error).code(), CloseCode::ABNORMAL);
                let io = error.closed().unwrap().io_error().expect("the I/O error");
                assert_eq!(io.kind(), ErrorKind::ConnectionReset);
            }
        }
    }
}

#[tokio::test]
async fn a_busy_handler_keeps_nothing_from_the_end() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let (release, wait) = oneshot::channel::<()>();
    let wait = std::sync::Mutex::new(Some(wait));
    let server = start(Server::new(), move |ws| {
        let wait = wait.lock().unwrap().take().unwrap();
        let tell = tell.clone();
        async move {
            tell.send(ws.sender())?;
            wait.await?;
            assert!(ws.send("nobody is there").await.is_err());
            Ok(())
        }
    })
    .await;
    let raw = server.raw_upgraded().await;
    let sender = in_time(told.recv()).await.unwrap();
    raw.stream.set_zero_linger().unwrap();
    drop(raw);
    assert_eq!(in_time(sender.closed()).await.cause, Cause::TransportFailed);
    assert_eq!(server.handle.connections(), 1, "until its handler has returned");
    release.send(()).unwrap();
    until(|| server.handle.connections() == 0).await;
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_answers_our_close() {
    let (ws, mut raw) = piped_server(Server::new()).await;
    let started = Instant::now();
    let error = in_time(ws.close(CloseCode::NORMAL, "")).await.unwrap_err();
    assert_eq!(started.elapsed().as_secs(), 10);
    assert_eq!(outcome(&error).cause, Cause::CloseTimeout);
    assert_eq!(outcome(&error).code(), CloseCode::ABNORMAL);
    assert_eq!(raw.close_frame().await, (1000, String::new()));
    assert_eq!(raw.rest().await, b"");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_ends_tcp() {
    let (ws, mut raw) = piped_client(Client::new("ws://test/")).await;
    let started = Instant::now();
    let peer = async {
        assert_eq!(raw.close_frame().await, (1000, String::new()));
        raw.write(frame(0x88, close_body(1000, ""), None)).await;
        raw.rest().await
    };
    let (closed, rest) = in_time(async { tokio::join!(ws.close(CloseCode::NORMAL, ""), peer) }).await;
    assert!(closed.unwrap().is_clean(), "both Close frames were there");
    assert_eq!(rest, b"");
    assert_eq!(started.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_found_dead() {
    let (mut ws, mut raw) = piped_server(Server::new()).await;
    let started = Instant::now();
    let error = in_time(ws.recv()).await.unwrap_err();
    assert_eq!(started.elapsed().as_secs(), 40, "a ping after 20 s, and 20 s for its pong");
    assert_eq!(outcome(&error).cause, Cause::KeepaliveTimeout);
    assert_eq!(raw.frame().await.0, 0x89);
    assert_eq!(raw.close_frame().await, (1011, "keepalive ping timeout".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_pings_is_left_alone_for_an_hour() {
    let (ws, client) = piped(Server::new(), Client::new("ws://test/")).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(ws.sender().is_open() && client.sender().is_open());
    assert!(ws.latency().is_some() && client.latency().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_message_that_stands_still_is_not_waited_for() {
    let (mut ws, mut raw) = piped_server(Server::new()).await;
    let started = Instant::now();
    raw.write(header(0x82, 1000, Some(MASK))).await;
    let mut drip = tokio::time::interval(Duration::from_secs(19));
    let (error, ()) = in_time(async {
        tokio::join!(async { ws.recv().await.unwrap_err() }, async {
            while raw.stream.write_u8(0).await.is_ok() && started.elapsed() < Duration::from_secs(60) {
                drip.tick().await;
            }
        })
    })
    .await;
    assert_eq!(outcome(&error).cause, Cause::MessageTimeout);
    assert_eq!(outcome(&error).sent.as_ref().map(|frame| frame.code), Some(CloseCode::POLICY_VIOLATION));
}
