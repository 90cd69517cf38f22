//! Connections whose transport comes from somebody else's HTTP server: counted, run beside a handler, shut down.

use std::future::{pending, ready};
use std::io;

use http::{Request, StatusCode};
use ws_proto::Role;
use ws_session::{Addresses, CompletedHandshake, HandlerResult, Handover, ServerHandle, UpgradeError, WebSocket, http};

use crate::sim::*;

/// An HTTP server's place: requests come in, transports go out.
struct Site {
    world: World,
    server: Server,
    handle: ServerHandle,
}

type Handed = Result<Handover<End>, io::Error>;

impl Site {
    fn new(server: Server) -> Self {
        Self { world: World::new(1), handle: server.handle(), server }
    }

    fn accept(&self) -> CompletedHandshake<Sim> {
        self.server.upgrade(&request(), Addresses::default()).unwrap()
    }

    fn link(&self) -> (End, Peer) {
        let (ours, theirs) = link(LinkOptions::default(), &mut self.world.rng());
        (ours, Peer::new(Role::Client, theirs))
    }

    /// A connection beside its handler, in a task.
    fn run<F>(&self, handler: impl FnOnce(WebSocket) -> F + 'static) -> (Peer, Task<()>)
    where
        F: Future<Output = HandlerResult> + 'static,
    {
        let (ours, peer) = self.link();
        let handed: Handed = Ok(Handover::new(ours));
        let running = self.accept().run(ready(handed), handler, |error| panic!("{error}"));
        (peer, self.world.spawn("connection", running))
    }

    /// Waits for the end of a shutdown.
    fn closed(&self) -> Task<()> {
        let handle = self.handle.clone();
        self.world.spawn("closed", async move { handle.closed().await })
    }
}

fn request() -> Request<()> {
    let request = Request::get("/chat").header("host", "example.com").header("connection", "Upgrade");
    let request = request.header("upgrade", "websocket").header("sec-websocket-version", "13");
    request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").body(()).unwrap()
}

async fn until_the_end(mut socket: WebSocket) -> HandlerResult {
    while socket.recv().await?.is_some() {}
    Ok(())
}

#[test]
fn a_shutdown_closes_with_1001_and_waits_for_handlers() {
    let site = Site::new(Server::new());
    let log = Log::new();
    let told = log.clone();
    let (mut peer, running) = site.run(async move |socket| {
        until_the_end(socket).await?;
        sleep(secs(3)).await;
        told.push("cleaned up");
        Ok(())
    });
    let (mut other, driver) = {
        let (ours, peer) = site.link();
        (peer, site.accept().parts(ours).open())
    };
    let (socket, driver) = driver;
    site.world.spawn("driver", driver);
    let (early, late) = (site.closed(), site.closed());
    site.world.run();
    assert_eq!(site.handle.connections(), 2);
    assert!(!early.is_finished(), "no shutdown has begun");
    site.handle.shutdown();
    site.world.run();
    for peer in [&mut peer, &mut other] {
        assert_eq!(peer.frames(), [close(1001, "server shutdown")]);
        peer.send_close(1001, "");
        peer.leave();
    }
    site.world.advance(secs(3) - millis(1));
    assert!(!early.is_finished() && !late.is_finished(), "a handler is still running");
    site.world.advance(millis(1));
    assert_eq!(log.take(), ["cleaned up"]);
    assert!(running.is_finished() && early.is_finished() && late.is_finished());
    assert_eq!(site.handle.connections(), 0);
    drop(socket);
    let again = site.closed();
    site.world.run();
    assert!(again.is_finished(), "it has ended already");
}

#[test]
fn connections_left_at_the_drain_deadline_are_dropped() {
    let site = Site::new(Server::new().drain_timeout(secs(5)));
    let (_stuck, running) = site.run(|socket| async move {
        let _socket = socket;
        pending().await
    });
    let failures = Log::new();
    let told = failures.clone();
    let never = pending::<Handed>();
    let not_yet = site.accept().run(never, until_the_end, move |error| told.push(error.to_string()));
    let not_yet = site.world.spawn("not handed over", not_yet);
    site.world.run();
    site.handle.shutdown();
    let closed = site.closed();
    site.world.advance(secs(5) - millis(1));
    assert!(!closed.is_finished() && !running.is_finished() && !not_yet.is_finished());
    site.world.advance(millis(1));
    assert!(closed.is_finished() && running.is_finished() && not_yet.is_finished());
    let stopped = "the server was shut down before the HTTP connection was handed over";
    assert_eq!(failures.take(), [stopped]);
}

#[test]
fn a_connection_that_is_handed_over_during_a_shutdown_is_closed_at_once() {
    let site = Site::new(Server::new());
    let accepted = site.accept();
    site.handle.shutdown();
    let closed = site.closed();
    site.world.run();
    assert!(!closed.is_finished(), "its client has been promised a connection");
    let (ours, mut peer) = site.link();
    let handed: Handed = Ok(Handover::new(ours));
    site.world.spawn("connection", accepted.run(ready(handed), until_the_end, |error| panic!("{error}")));
    site.world.run();
    assert_eq!(peer.frames(), [close(1001, "server shutdown")]);
    peer.send_close(1001, "");
    peer.leave();
    site.world.run();
    assert!(closed.is_finished());
    let refused = site.server.upgrade(&request(), Addresses::default()).unwrap_err();
    assert_eq!(refused.response().status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[test]
fn the_limit_of_connections_counts_from_the_request_to_the_end() {
    let site = Site::new(Server::new().max_connections(1));
    let is_full = |what: &str| {
        let refused = site.server.upgrade(&request(), Addresses::default()).unwrap_err();
        assert_eq!(refused.response().status(), StatusCode::SERVICE_UNAVAILABLE, "{what}");
    };
    let accepted = site.accept();
    is_full("accepted");
    drop(accepted);
    let parts = site.accept().parts(site.link().0);
    is_full("parts");
    drop(parts);
    let (socket, driver) = site.accept().parts(site.link().0).open();
    assert_eq!(site.handle.connections(), 1);
    is_full("open");
    drop(driver);
    assert_eq!(site.handle.connections(), 0, "although a handle is left");
    drop(socket);
    let stream = site.accept().parts(site.link().0).into_stream();
    is_full("a stream");
    let (_, driver) = stream.into_driven();
    is_full("driven");
    drop(driver);
    let stream = site.accept().parts(site.link().0).into_stream();
    drop(stream.into_parts());
    let never = site.accept().run(pending::<Handed>(), until_the_end, |error| panic!("{error}"));
    is_full("waits for its transport");
    drop(never);
    let (_peer, running) = site.run(until_the_end);
    site.world.run();
    is_full("runs");
    site.world.cancel(&running);
    assert_eq!(site.handle.connections(), 0);
    // A clone shares its connections, another server does not.
    let _first = site.server.clone().upgrade(&request(), Addresses::default()).unwrap();
    is_full("of a clone");
    assert!(Server::new().max_connections(1).upgrade(&request(), Addresses::default()).is_ok());
    let other = Server::new().max_connections(1).shutdown_with(&site.handle);
    assert!(other.upgrade(&request(), Addresses::default()).is_err(), "it shares them");
}

#[test]
fn the_result_of_the_handler_closes_the_connection() {
    let site = Site::new(Server::new());
    let (mut fine, _) = site.run(|_| async { Ok(()) });
    let (mut failed, _) = site.run(|_| async { Err("no luck".into()) });
    let (mut panicked, _) = site.run(|_| async { panic!("within") });
    let (ours, mut at_the_call) = site.link();
    let handed: Handed = Ok(Handover::new(ours));
    let handler = |_| -> std::future::Ready<HandlerResult> { panic!("when it is called") };
    site.world.spawn("connection", site.accept().run(ready(handed), handler, |error| panic!("{error}")));
    site.world.run();
    assert_eq!(fine.frames(), [close(1000, "")]);
    for peer in [&mut failed, &mut panicked, &mut at_the_call] {
        assert_eq!(peer.frames(), [close(1011, "internal error")]);
    }
}

#[test]
fn frames_behind_the_request_come_first() {
    let site = Site::new(Server::new());
    let (ours, mut peer) = site.link();
    let handed: Handed = Ok(Handover::new(ours).received(peer.frame(TEXT, "greedy")));
    site.world.spawn("connection", site.accept().run(ready(handed), send_back, |error| panic!("{error}")));
    peer.send_text("patient");
    site.world.run();
    assert_eq!(peer.frames(), [text("greedy"), text("patient")]);
}

#[test]
fn a_transport_that_does_not_come_is_told() {
    let site = Site::new(Server::new());
    let failures = Log::new();
    let told = failures.clone();
    let handed: Handed = Err(io::Error::other("the client has left"));
    site.world.spawn("connection", site.accept().run(ready(handed), until_the_end, move |error| told.push(error)));
    site.world.run();
    let [error] = &failures.take()[..] else { panic!("one failure") };
    assert_eq!(error.to_string(), "the HTTP connection was not handed over: the client has left");
    let UpgradeError::NotHandedOver(cause) = error else { panic!("{error}") };
    assert!(cause.downcast_ref::<io::Error>().is_some(), "the library's own error");
    assert_eq!(format!("{error:?}"), error.to_string());
}

#[test]
fn a_connection_without_handles_ends_although_it_is_counted() {
    let site = Site::new(Server::new());
    let (ours, mut peer) = site.link();
    let (socket, driver) = site.accept().parts(ours).open();
    site.world.spawn("driver", driver);
    drop(socket);
    site.world.run();
    assert_eq!(peer.frames(), [close(1001, "")]);
    peer.send_close(1001, "");
    peer.leave();
    site.world.run();
    assert_eq!(site.handle.connections(), 0);
}

#[test]
fn one_handle_ends_a_listener_and_upgraded_connections() {
    let site = Site::new(Server::new());
    let listening = site.world.at_once(Server::new().shutdown_with(&site.handle).bind("127.0.0.1:0")).unwrap();
    let serving = site.world.spawn("serve", listening.serve(until_the_end));
    site.world.run();
    let backlog = Backlog::of_last_listener();
    let (theirs, mut accepted) = site.link();
    backlog.connect(theirs, None);
    accepted.to.push(REQUEST);
    let (mut upgraded, _) = site.run(until_the_end);
    site.world.run();
    assert!(accepted.head().starts_with("HTTP/1.1 101 "));
    assert_eq!(site.handle.connections(), 2);
    site.handle.shutdown();
    let closed = site.closed();
    site.world.run();
    for peer in [&mut accepted, &mut upgraded] {
        assert_eq!(peer.frames(), [close(1001, "server shutdown")]);
        assert!(!serving.is_finished() && !closed.is_finished());
        peer.send_close(1001, "");
        peer.leave();
        site.world.run();
    }
    assert!(serving.is_finished() && closed.is_finished());
}
