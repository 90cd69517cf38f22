//! Counters of a connection.

use core::ops::AddAssign;

/// Counters of a connection since it opened, for each direction. See [`Connection::stats`](crate::Connection::stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionStats {
    /// The traffic from the peer.
    pub received: Traffic,
    /// The traffic to the peer.
    pub sent: Traffic,
}

/// Counters of one direction of a connection, or the sums of several connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// The number of messages. A received message counts when it is complete, a sent one when it is queued as a whole.
    pub messages: u64,
    /// The number of frames, control frames included (RFC 6455 §5.2). A received fragment that does not end its message counts
    /// from its header on, every other received frame when it is complete. Sent frames count when they are queued.
    pub frames: u64,
    /// The bytes of messages as the application sees them: without headers, after inflation or before compression. Received
    /// bytes count when they are returned as a message or a chunk.
    pub payload_bytes: u64,
    /// The bytes of frames: headers, payloads as they are on the wire, and control frames. The opening handshake and layers
    /// below the frames, such as TLS, are not included. Received bytes count when the connection takes them, sent bytes when
    /// the transport has taken them.
    pub wire_bytes: u64,
    /// The bytes on the wire of payloads that were compressed (RFC 7692). Control frames and messages without compression are
    /// not included.
    pub compressed_bytes: u64,
    /// The bytes of the same payloads without compression.
    pub uncompressed_bytes: u64,
}

impl Traffic {
    /// The size of compressed messages without compression, relative to their size with it: 4.0 if they shrank to a quarter.
    /// `None` if no message was compressed.
    pub fn compression_ratio(&self) -> Option<f64> {
        (self.compressed_bytes > 0).then(|| self.uncompressed_bytes as f64 / self.compressed_bytes as f64)
    }
}

impl AddAssign for ConnectionStats {
    fn add_assign(&mut self, other: Self) {
        self.received += other.received;
        self.sent += other.sent;
    }
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        self.messages += other.messages;
        self.frames += other.frames;
        self.payload_bytes += other.payload_bytes;
        self.wire_bytes += other.wire_bytes;
        self.compressed_bytes += other.compressed_bytes;
        self.uncompressed_bytes += other.uncompressed_bytes;
    }
}
