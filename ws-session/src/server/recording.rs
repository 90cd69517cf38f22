//! The counters of a server for the [`metrics`] facade.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use super::ServerHandle;
use crate::metric::Metric;
use crate::registry::Awaited;

impl ServerHandle {
    /// Passes the counters of [`stats`](Self::stats) to the recorder of the `metrics` facade: the differences to the last call.
    /// Messages cost nothing more. Call it before each export, or use [`record_metrics_every`](Self::record_metrics_every).
    /// Install the recorder before the first call. For Prometheus,
    /// [`ServerStats::to_prometheus`](crate::ServerStats::to_prometheus) needs neither the facade nor a recorder.
    ///
    /// The names follow OpenTelemetry's conventions. Several servers of one program add up.
    ///
    /// | name | kind | labels | meaning |
    /// | --- | --- | --- | --- |
    /// | `websocket.server.connections.active` | gauge | | open connections |
    /// | `websocket.server.handshakes.active` | gauge | | opening handshakes in progress |
    /// | `websocket.server.connections.opened` | counter | | connections that were opened |
    /// | `websocket.server.connections.closed` | counter | `websocket.closed_by` (`us`, `peer`, `transport`), `websocket.close.code` | connections that have ended ([`Ends`](crate::Ends)) |
    /// | `websocket.server.handshakes.failed` | counter | `error.type` ([`HandshakeFailure`](crate::HandshakeFailure)) | opening handshakes that failed |
    /// | `websocket.server.requests.answered` | counter | `http.response.status_code` | requests that a hook or a route answered |
    /// | `websocket.server.messages` | counter | `network.io.direction` (`receive`, `transmit`) | messages |
    /// | `websocket.server.frames` | counter | `network.io.direction` | frames, control frames included |
    /// | `websocket.server.payload.io` | counter, bytes | `network.io.direction` | bytes of messages |
    /// | `websocket.server.network.io` | counter, bytes | `network.io.direction` | bytes of frames |
    /// | `websocket.server.compressed.io` | counter, bytes | `network.io.direction` | compressed payloads, compressed |
    /// | `websocket.server.uncompressed.io` | counter, bytes | `network.io.direction` | compressed payloads, without compression |
    pub fn record_metrics(&self) {
        self.registry.since_recorded(|before, now| Metric::record(&before.metrics(), &now.metrics()));
    }

    /// Calls [`record_metrics`](Self::record_metrics) now and after each interval, until the last connection has ended after
    /// the beginning of a shutdown, and once more then. Spawn it as a task. An interval shorter than 10 ms counts as 10 ms.
    pub async fn record_metrics_every(self, interval: Duration) {
        let interval = interval.max(Duration::from_millis(10));
        let mut timer = (self.timer)();
        let observer = self.registry.observe();
        let mut awaited = Awaited::Shutdown;
        loop {
            self.record_metrics();
            let next = timer.now() + interval;
            let has_come = poll_fn(|cx| match observer.poll(awaited, cx) {
                Poll::Ready(()) => Poll::Ready(true),
                Poll::Pending => timer.poll_at(cx, next).map(|()| false),
            });
            match (has_come.await, awaited) {
                (false, _) => {}
                (true, Awaited::Shutdown) => awaited = Awaited::Idle,
                (true, _) => return self.record_metrics(),
            }
        }
    }
}
