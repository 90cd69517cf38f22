//! Settings of a connection.

use std::sync::{Arc, OnceLock};

use ws_proto::Config;
use ws_proto::permessage_deflate::{Deflate, DeflateParams};

/// The settings of a connection.
///
/// ```
/// use ws_tungstenite::protocol::{Compression, WebSocketConfig};
///
/// let config = WebSocketConfig::default()
///     .max_message_size(Some(1 << 20))
///     .compression(Some(Compression::default()));
/// assert_eq!(config.max_frame_size, Some(16 << 20));
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct WebSocketConfig {
    /// The most bytes of one read. Default and maximum 128 KiB. Connections share a buffer for each thread, so an idle connection
    /// holds none.
    pub read_buffer_size: usize,
    /// Messages are written to the stream without a flush once more than this many bytes are queued. Default 128 KiB. With 0,
    /// each message is written at once.
    pub write_buffer_size: usize,
    /// The most bytes that are queued: see [`Error::WriteBufferFull`](crate::Error::WriteBufferFull). It must be greater than
    /// [`write_buffer_size`](Self::write_buffer_size). Default unlimited.
    pub max_write_buffer_size: usize,
    /// The longest message accepted, in bytes, after inflating. Default 64 MiB; `None` for no limit.
    pub max_message_size: Option<usize>,
    /// The longest frame accepted, in bytes. Default 16 MiB; `None` for no limit.
    pub max_frame_size: Option<usize>,
    /// Whether a server accepts frames that are not masked, against RFC 6455 §5.1. Default `false`.
    pub accept_unmasked_frames: bool,
    /// The compression of messages. Default `None`: not offered, and not accepted.
    pub compression: Option<Compression>,
}

/// The compression of messages: permessage-deflate (RFC 7692).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// Offered by a client, accepted by a server.
    ///
    /// Over a stream whose opening handshake was done elsewhere (`from_raw_socket`), the answer of the peer is not known. There
    /// a compressed message shows that it has agreed: from the first one on, ours are compressed too, each on its own. The
    /// header of the handshake must then not limit our window below [`Deflate::send_window_bits`].
    Negotiate(Deflate),
    /// Negotiated elsewhere, with these parameters. For `from_raw_socket`.
    Agreed(DeflateParams),
}

impl Default for Compression {
    /// Windows of 4 KiB: a connection that compresses keeps about 32 KiB.
    fn default() -> Self {
        Self::Negotiate(Deflate::server())
    }
}

impl Default for WebSocketConfig {
    /// The defaults. Within a [`CompressionLayer`](crate::compression) they have the compression that the layer negotiated for
    /// the request.
    fn default() -> Self {
        #[cfg(feature = "handshake")]
        let compression = crate::compression::current();
        #[cfg(not(feature = "handshake"))]
        let compression = None;
        Self { compression, ..Self::PLAIN }
    }
}

impl WebSocketConfig {
    /// The defaults, without compression.
    pub(crate) const PLAIN: Self = Self {
        read_buffer_size: 128 << 10,
        write_buffer_size: 128 << 10,
        max_write_buffer_size: usize::MAX,
        max_message_size: Some(64 << 20),
        max_frame_size: Some(16 << 20),
        accept_unmasked_frames: false,
        compression: None,
    };

    /// Sets [`Self::read_buffer_size`].
    pub fn read_buffer_size(mut self, read_buffer_size: usize) -> Self {
        self.read_buffer_size = read_buffer_size;
        self
    }

    /// Sets [`Self::write_buffer_size`].
    pub fn write_buffer_size(mut self, write_buffer_size: usize) -> Self {
        self.write_buffer_size = write_buffer_size;
        self
    }

    /// Sets [`Self::max_write_buffer_size`].
    pub fn max_write_buffer_size(mut self, max_write_buffer_size: usize) -> Self {
        self.max_write_buffer_size = max_write_buffer_size;
        self
    }

    /// Sets [`Self::max_message_size`].
    pub fn max_message_size(mut self, max_message_size: Option<usize>) -> Self {
        self.max_message_size = max_message_size;
        self
    }

    /// Sets [`Self::max_frame_size`].
    pub fn max_frame_size(mut self, max_frame_size: Option<usize>) -> Self {
        self.max_frame_size = max_frame_size;
        self
    }

    /// Sets [`Self::accept_unmasked_frames`].
    pub fn accept_unmasked_frames(mut self, accept_unmasked_frames: bool) -> Self {
        self.accept_unmasked_frames = accept_unmasked_frames;
        self
    }

    /// Sets [`Self::compression`].
    pub fn compression(mut self, compression: Option<Compression>) -> Self {
        self.compression = compression;
        self
    }

    /// # Panics
    ///
    /// When the limits of the queue contradict each other.
    pub(super) fn assert_valid(&self) {
        assert!(
            self.max_write_buffer_size > self.write_buffer_size,
            "max_write_buffer_size ({}) must be greater than write_buffer_size ({})",
            self.max_write_buffer_size,
            self.write_buffer_size
        );
    }

    /// The core's settings. Connections with the default limits share theirs.
    pub(super) fn to_core(self) -> Arc<Config> {
        static DEFAULT: OnceLock<Arc<Config>> = OnceLock::new();
        let limits = |config: &Self| (config.max_message_size, config.max_frame_size);
        if limits(&self) != limits(&Self::PLAIN) {
            return self.new_core();
        }
        DEFAULT.get_or_init(|| Self::PLAIN.new_core()).clone()
    }

    fn new_core(self) -> Arc<Config> {
        let mut config = Config::default();
        config.limits.message = self.max_message_size;
        config.limits.frame = self.max_frame_size;
        config.limits.fragments = None;
        // The queue is bounded by the caller of the core.
        config.limits.high_water = usize::MAX;
        config.limits.hard_cap = usize::MAX;
        config.into()
    }
}
