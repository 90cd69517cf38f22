//! Settings that servers and clients share.

use ws_proto::{Config, Delivery};

/// Adds the settings to a builder with a method `config_mut`.
macro_rules! connection_settings {
    ($builder:ident) => {
        impl<R: $crate::Runtime> $builder<R> {
            /// Replaces all limits and deadlines of a connection. Messages are always delivered whole.
            #[must_use]
            pub fn config(mut self, config: ::ws_proto::Config) -> Self {
                *self.config_mut() = ::std::sync::Arc::new($crate::settings::whole_messages(config));
                self
            }

            /// Changes limits and deadlines: `.configure(|config| config.limits.fragments = Some(100))`. Messages are
            /// always delivered whole.
            #[must_use]
            #[doc(alias = "limits", alias = "deadlines")]
            pub fn configure(mut self, change: impl FnOnce(&mut ::ws_proto::Config)) -> Self {
                let config = ::std::sync::Arc::make_mut(self.config_mut());
                change(config);
                config.delivery = ::ws_proto::Delivery::Messages;
                self
            }

            /// Limits the length of an accepted message, and of a frame, in bytes. `None` for no limit. Default 1 MiB. A
            /// longer one is answered with 1009 ([`Limits::message`](ws_proto::Limits::message)).
            #[must_use]
            #[doc(alias = "max_message_size", alias = "max_frame_size", alias = "max_size")]
            pub fn max_message(self, bytes: impl Into<Option<usize>>) -> Self {
                let bytes = bytes.into();
                self.configure(|config| (config.limits.message, config.limits.frame) = (bytes, bytes))
            }

            /// Limits the length of a message that is received in chunks
            /// ([`WebSocket::recv_streaming`](crate::WebSocket::recv_streaming)), in bytes. `None` for no limit: a streamed
            /// message takes no memory, whatever its length. Default 0. A value below [`max_message`](Self::max_message) has
            /// no effect, so by default the same limit applies to all messages. A longer message is answered with 1009
            /// ([`Limits::streamed`](ws_proto::Limits::streamed)).
            ///
            /// With a higher limit, a message that is longer than `max_message` is not refused when it begins. Its payload is
            /// left unread until the application chooses. `recv_streaming` receives it, and `recv` refuses it with 1009. Until
            /// then pings behind it are not answered, as when the inbound queue is full.
            #[must_use]
            #[doc(alias = "streaming", alias = "max_streamed_message")]
            pub fn max_streamed(self, bytes: impl Into<Option<usize>>) -> Self {
                let bytes = bytes.into();
                self.configure(|config| config.limits.streamed = bytes)
            }

            /// Limits the rate at which messages are received; pings and pongs count, too. `None` for no limit, the default:
            /// `message_rate(Rate::per_second(50).with_burst(200))`. [`over_rate`](Self::over_rate) chooses what happens to a
            /// faster peer ([`Limits::message_rate`](ws_proto::Limits::message_rate)).
            #[must_use]
            #[doc(alias = "rate_limit")]
            pub fn message_rate(self, rate: impl Into<Option<::ws_proto::Rate>>) -> Self {
                let rate = rate.into();
                self.configure(|config| config.limits.message_rate = rate)
            }

            /// Limits the rate at which bytes are received, as they are on the wire (within TLS). `None` for no limit, the
            /// default. [`over_rate`](Self::over_rate) chooses what happens to a faster peer
            /// ([`Limits::byte_rate`](ws_proto::Limits::byte_rate)).
            ///
            /// A single read takes up to 256 KiB. If that is more than a burst, the pause after it is longer.
            #[must_use]
            #[doc(alias = "rate_limit", alias = "bandwidth")]
            pub fn byte_rate(self, rate: impl Into<Option<::ws_proto::Rate>>) -> Self {
                let rate = rate.into();
                self.configure(|config| config.limits.byte_rate = rate)
            }

            /// Sets what happens to a peer that exceeds [`message_rate`](Self::message_rate) or
            /// [`byte_rate`](Self::byte_rate). By default reading pauses, so that the peer waits in TCP and loses nothing.
            /// [`OverRate::Close`](ws_proto::OverRate::Close) closes the connection with 1008.
            #[must_use]
            pub fn over_rate(self, answer: ::ws_proto::OverRate) -> Self {
                self.configure(|config| config.limits.over_rate = answer)
            }

            /// Sets the longest fragment of a message that is sent as a stream
            /// ([`Sender::send_stream`](crate::Sender::send_stream)), in bytes. At least 1. Default 64 KiB. Control frames go
            /// between fragments ([`Limits::sent_fragment`](ws_proto::Limits::sent_fragment)).
            #[must_use]
            #[doc(alias = "fragment_size", alias = "write_limit")]
            pub fn sent_fragment(self, bytes: usize) -> Self {
                self.configure(|config| config.limits.sent_fragment = bytes)
            }

            /// Sets the interval between keepalive pings. `None` sends none. Default 20 s.
            /// [`Deadlines::ping_interval`](ws_proto::Deadlines::ping_interval) names peers that mishandle pings.
            #[must_use]
            #[doc(alias = "keepalive", alias = "heartbeat")]
            pub fn ping_interval(self, interval: impl Into<Option<::std::time::Duration>>) -> Self {
                let interval = interval.into();
                self.configure(|config| config.deadlines.ping_interval = interval)
            }

            /// Sets whether pings are sent between the fragments of our messages. Default `false`: they wait for the last
            /// fragment, because some peers mishandle such a ping.
            /// [`Config::ping_between_fragments`](ws_proto::Config::ping_between_fragments) names them.
            #[must_use]
            pub fn ping_between_fragments(self, allowed: bool) -> Self {
                self.configure(|config| config.ping_between_fragments = allowed)
            }

            /// Limits the time for the answer to a keepalive ping. `None` waits for ever. Default 20 s
            /// ([`Deadlines::pong`](ws_proto::Deadlines::pong)).
            #[must_use]
            #[doc(alias = "ping_timeout")]
            pub fn pong_timeout(self, timeout: impl Into<Option<::std::time::Duration>>) -> Self {
                let timeout = timeout.into();
                self.configure(|config| config.deadlines.pong = timeout)
            }

            /// Limits the unsent bytes that the system holds of a slow connection (`TCP_NOTSENT_LOWAT`, on Linux and Apple's
            /// systems). Default 64 KiB. `None` leaves it to the system, whose send buffer grows to some MiB.
            ///
            /// With few unsent bytes in the system, a ping or a Close does not wait behind megabytes, and deadlines follow the
            /// bytes that the peer takes. On a fast link the limit would cost throughput, so it is set late. It is set when
            /// the socket has taken nothing for a second although output waits, or when nothing has been received for half
            /// of [`pong_timeout`](Self::pong_timeout). It also applies to your own transports that implement
            /// [`set_notsent_lowat`](crate::Transport::set_notsent_lowat).
            #[must_use]
            pub fn notsent_lowat(mut self, bytes: Option<u32>) -> Self {
                *self.notsent_lowat_mut() = bytes;
                self
            }

            /// Limits the time of the closing handshake and of the transport's end after it. Default 10 s
            /// ([`Deadlines::close`](ws_proto::Deadlines::close)).
            #[must_use]
            pub fn close_timeout(self, timeout: ::std::time::Duration) -> Self {
                self.configure(|config| config.deadlines.close = timeout)
            }
        }
    };
}

pub(crate) use connection_settings;

/// The handle delivers whole messages. Chunks are for users of the core alone.
pub(crate) fn whole_messages(mut config: Config) -> Config {
    config.delivery = Delivery::Messages;
    config
}
