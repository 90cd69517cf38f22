//! Return values of handlers.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, mpsc};

use super::super::setup::*;

/// A visit to a server with this handler.
fn visit<H, F, T>(handler: H, visit: impl FnOnce(WebSocket) -> T) -> T
where
    H: Fn(WebSocket) -> F + Send + Sync + 'static,
    F: Future<Output = HandlerResult> + Send + 'static,
{
    let listening = block_on(Server::new().bind("127.0.0.1:0")).unwrap();
    let (url, handle) = (format!("ws://{}", listening.local_addr().unwrap()), listening.handle());
    let server = spawn(listening.serve(handler));
    let seen = visit(block_on(connect(url)).unwrap());
    handle.shutdown();
    block_on(server).unwrap();
    seen
}

/// The code that a connection ends with when this handler returns; before that one message goes both ways, if the handler
/// wants one.
fn code<H, F>(handler: H) -> u16
where
    H: Fn(WebSocket) -> F + Send + Sync + 'static,
    F: Future<Output = HandlerResult> + Send + 'static,
{
    visit(handler, |mut ws| {
        // The handler may have ended by now.
        let _ = block_on(ws.send("Hello"));
        let _ = block_on(ws.recv());
        block_on(ws.closed()).code().into()
    })
}

#[test]
fn a_function_that_returns_nothing() {
    async fn greet(mut ws: WebSocket) {
        if let Ok(Some(message)) = ws.recv().await {
            let _ = ws.send(message).await;
        }
    }
    assert_eq!(code(handler(greet)), 1000);
    assert_eq!(code(handler(|ws| greet(ws))), 1000);
    assert_eq!(code(handler(|ws| async move { greet(ws).await })), 1000);
}

#[test]
fn a_closure_that_returns_nothing() {
    assert_eq!(code(handler(|_| async {})), 1000);
    // Written where it is used, so that all types are inferred.
    assert_eq!(
        code(handler(|mut ws| async move {
            while let Ok(Some(message)) = ws.recv().await {
                if ws.send(message).await.is_err() {
                    return;
                }
                break;
            }
        })),
        1000
    );
    let apart = |ws: WebSocket| async move { ws.send("Hello").await.unwrap() };
    assert_eq!(code(handler(apart)), 1000);
}

#[test]
fn a_closure_that_ends_with_ok() {
    let handler = |mut ws: WebSocket| async move {
        if let Some(message) = ws.recv().await? {
            ws.send(message).await?;
        }
        Ok(())
    };
    assert_eq!(code(handler), 1000);
    // Written where it is used, so that all types are inferred.
    assert_eq!(
        code(|mut ws| async move {
            let Some(message) = ws.recv().await? else { return Ok(()) };
            ws.send(message).await?;
            Ok(())
        }),
        1000
    );
    assert_eq!(code(|ws| async move { Ok(ws.send("Hello").await?) }), 1000);
    assert_eq!(code(|_| async { Err("not today".into()) }), 1011);
}

#[test]
fn a_closure_that_is_asynchronous() {
    assert_eq!(code(handler(async |ws: WebSocket| { ws.send("Hello").await.unwrap() })), 1000);
    assert_eq!(
        code(async |mut ws: WebSocket| {
            while let Some(message) = ws.recv().await? {
                ws.send(message).await?;
                break;
            }
            Ok(())
        }),
        1000
    );
}

#[test]
fn a_function_with_the_library_s_result() {
    async fn count(mut ws: WebSocket, total: Arc<Mutex<u64>>) -> HandlerResult {
        ws.recv().await?;
        let n = "1".parse::<u64>()?;
        *total.lock().unwrap() += n;
        ws.send("counted").await?;
        Ok(())
    }
    let total = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&total);
    assert_eq!(code(move |ws| count(ws, Arc::clone(&counted))), 1000);
    assert_eq!(*total.lock().unwrap(), 1);
}

#[test]
fn a_clock_that_fails_when_its_peer_has_left() {
    let clock = visit(
        |ws| async move {
            let ws = ws.send_only();
            loop {
                ws.send("tick").await?;
                yield_now().await;
            }
        },
        |mut ws| {
            assert_eq!(recv(&mut ws), "tick");
            assert_eq!(recv(&mut ws), "tick");
            block_on(ws.close(1000, ""))
        },
    );
    assert!(clock.is_ok(), "{clock:?}");
}

#[test]
fn a_client_s_clock_that_fails_when_its_server_has_had_enough() {
    let (tell, told) = mpsc::channel();
    let server = start(Server::new(), move |mut ws| {
        let tell = tell.clone();
        async move {
            for _ in 0..2 {
                tell.send(ws.recv().await?)?;
            }
            Ok(())
        }
    });
    let clock = block_on(Client::run(server.url("/"), |ws| async move {
        let ws = ws.send_only();
        loop {
            ws.send("tick").await?;
            yield_now().await;
        }
    }));
    assert!(matches!(clock, Err(RunError::Handler(HandlerError::Failed(_)))), "{clock:?}");
    assert_eq!([hear(&told), hear(&told)], [Some(Message::from("tick")), Some(Message::from("tick"))]);
    server.stop();
}

#[test]
fn a_client_s_handler_with_an_outcome_of_its_own() {
    async fn greet(ws: WebSocket) {
        ws.send("Hello").await.unwrap();
    }
    async fn fail(_: WebSocket) -> Result<(), OurError> {
        Err(OurError)
    }
    let server = start(Server::new(), echo);
    let url = server.url("/");
    block_on(Client::run(&url, handler(greet))).unwrap();
    block_on(Client::run(&url, handler(|ws| async move { ws.send("Hello").await.unwrap() }))).unwrap();
    let Err(RunError::Handler(HandlerError::Failed(error))) = block_on(Client::run(&url, handler(fail))) else {
        panic!("the handler failed");
    };
    // The error itself, not its words.
    assert!(error.is::<OurError>());
    server.stop();
}

#[test]
fn a_handler_that_panics_after_it_could_have_failed() {
    assert_eq!(
        code(|ws| async move {
            ws.send("Hello").await?;
            panic!("on purpose")
        }),
        1011
    );
    assert_eq!(code(|_| async { panic!("on purpose") }), 1011);
    assert_eq!(code(handler(|_| async { panic!("on purpose") })), 1011);
}

#[test]
fn a_handler_that_never_returns() {
    let endless = |ws: WebSocket| async move {
        loop {
            if ws.send("Hello").await.is_err() {
                panic!("on purpose: nobody is there any more");
            }
            yield_now().await;
        }
    };
    assert!(visit(endless, |ws| block_on(ws.close(1000, ""))).is_ok());
    assert!(visit(handler(endless), |ws| block_on(ws.close(1000, ""))).is_ok());
    async fn ends(ws: WebSocket) -> HandlerResult {
        loop {
            ws.send("Hello").await?;
            Err("enough")?;
        }
    }
    assert_eq!(code(ends), 1011);
    assert_eq!(code(handler(ends)), 1011);
}

#[derive(Debug)]
struct OurError;

impl fmt::Display for OurError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("our own")
    }
}

impl StdError for OurError {}

#[test]
fn functions_that_fail_with_other_errors() {
    async fn its_own(mut ws: WebSocket) -> Result<(), Error> {
        ws.recv().await?;
        ws.send("Hello").await
    }
    async fn boxed(mut ws: WebSocket) -> Result<(), Box<dyn StdError>> {
        ws.recv().await?;
        Err("boxed".into())
    }
    async fn anyhow(mut ws: WebSocket) -> anyhow::Result<()> {
        ws.recv().await?;
        anyhow::bail!("anyhow")
    }
    async fn eyre(mut ws: WebSocket) -> eyre::Result<()> {
        ws.recv().await?;
        eyre::bail!("eyre")
    }
    async fn input(_: WebSocket) -> io::Result<()> {
        Err(io::ErrorKind::NotFound.into())
    }
    async fn text(mut ws: WebSocket) -> Result<(), String> {
        ws.recv().await.map_err(|error| error.to_string())?;
        Err("text".to_owned())
    }
    async fn words(mut ws: WebSocket) -> Result<(), &'static str> {
        ws.recv().await.map_err(|_| "nobody")?;
        Err("words")
    }
    async fn sent(mut ws: WebSocket) -> Result<(), Box<dyn StdError + Send + Sync>> {
        ws.recv().await?;
        Err("sent")?
    }
    async fn never(_: WebSocket) -> Result<(), Infallible> {
        Ok(())
    }
    async fn ours(_: WebSocket) -> Result<(), OurError> {
        Err(OurError)
    }
    assert_eq!(code(handler(its_own)), 1000);
    assert_eq!(code(handler(boxed)), 1011);
    assert_eq!(code(handler(anyhow)), 1011);
    assert_eq!(code(handler(eyre)), 1011);
    assert_eq!(code(handler(input)), 1011);
    assert_eq!(code(handler(text)), 1011);
    assert_eq!(code(handler(words)), 1011);
    assert_eq!(code(handler(sent)), 1011);
    assert_eq!(code(handler(never)), 1000);
    assert_eq!(code(handler(ours)), 1011);
    assert_eq!(code(handler(|ws| async move { its_own(ws).await })), 1000);
    // Or by `?`, where the error can go to another thread.
    assert_eq!(code(|ws| async { Ok(anyhow(ws).await?) }), 1011);
    assert_eq!(code(|ws| async { Ok(eyre(ws).await?) }), 1011);
    assert_eq!(code(|ws| async { Ok(text(ws).await?) }), 1011);
}

#[test]
fn the_short_ways_take_the_same_handlers() {
    async fn nothing(_: WebSocket) {}
    // They run until they are dropped: here before they begin.
    drop(serve("127.0.0.1:0", handler(nothing)));
    drop(serve_until("127.0.0.1:0", handler(nothing), async {}));
    drop(serve_until("127.0.0.1:0", handler(|ws| async move { drop(ws) }), async {}));
    drop(serve("127.0.0.1:0", |ws| async move {
        loop {
            ws.send("tick").await?;
            yield_now().await;
        }
    }));
    drop(serve("127.0.0.1:0", |mut ws| async move {
        while let Some(message) = ws.recv().await? {
            ws.send(message).await?;
        }
        Ok(())
    }));
    drop(serve(("127.0.0.1", 0), handler(|_| async {})));
}
