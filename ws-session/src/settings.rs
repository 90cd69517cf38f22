//! Settings that servers and clients have in common.

use ws_proto::{Config, Delivery};

/// Adds the settings to a builder that lends its configuration by `config_mut`.
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

            /// The longest message, and frame, that is accepted, in bytes; `None` for no limit. Default 1 MiB. Longer ones
            /// are answered with 1009 ([`Limits::message`](ws_proto::Limits::message)).
            #[must_use]
            #[doc(alias = "max_message_size", alias = "max_frame_size", alias = "max_size")]
            pub fn max_message(self, bytes: impl Into<Option<usize>>) -> Self {
                let bytes = bytes.into();
                self.configure(|config| (config.limits.message, config.limits.frame) = (bytes, bytes))
            }

            /// How often a ping is sent, to find out whether the peer is there; `None` for no pings. Default 20 s
            /// ([`Deadlines::ping_interval`](ws_proto::Deadlines::ping_interval), which names peers that cannot stand pings).
            #[must_use]
            #[doc(alias = "keepalive", alias = "heartbeat")]
            pub fn ping_interval(self, interval: impl Into<Option<::std::time::Duration>>) -> Self {
                let interval = interval.into();
                self.configure(|config| config.deadlines.ping_interval = interval)
            }

            /// Whether pings go out between the fragments of a message of ours. Default `false`: they wait for the last, for
            /// peers that break at such a ping ([`Config::ping_between_fragments`](ws_proto::Config::ping_between_fragments) names them).
            #[must_use]
            pub fn ping_between_fragments(self, allowed: bool) -> Self {
                self.configure(|config| config.ping_between_fragments = allowed)
            }

            /// How long the answer to such a ping may take; `None` to wait for ever. Default 20 s
            /// ([`Deadlines::pong`](ws_proto::Deadlines::pong)).
            #[must_use]
            #[doc(alias = "ping_timeout")]
            pub fn pong_timeout(self, timeout: impl Into<Option<::std::time::Duration>>) -> Self {
                let timeout = timeout.into();
                self.configure(|config| config.deadlines.pong = timeout)
            }

            /// How many unsent bytes the system holds of a slow connection (`TCP_NOTSENT_LOWAT`, on Linux and Apple's systems).
            /// Default 64 KiB; `None` leaves it to the system, whose send buffer grows to some MiB.
            ///
            /// With few unsent bytes in the system's hands a ping or a Close does not wait behind megabytes, and deadlines
            /// run from what the peer takes. On a fast link that would cost throughput, so the socket is told late: the first
            /// time that it has taken nothing for a second while something waits to be written, or that nothing has come in
            /// for half of [`pong_timeout`](Self::pong_timeout). Transports of your own are told, too, if they have
            /// [`set_notsent_lowat`](crate::Transport::set_notsent_lowat).
            #[must_use]
            pub fn notsent_lowat(mut self, bytes: Option<u32>) -> Self {
                *self.notsent_lowat_mut() = bytes;
                self
            }

            /// How long closing may take, and the transport's end after it. Default 10 s
            /// ([`Deadlines::close`](ws_proto::Deadlines::close)).
            #[must_use]
            pub fn close_timeout(self, timeout: ::std::time::Duration) -> Self {
                self.configure(|config| config.deadlines.close = timeout)
            }
        }
    };
}

pub(crate) use connection_settings;

/// The handle delivers whole messages; pieces are for those who embed the core.
pub(crate) fn whole_messages(mut config: Config) -> Config {
    config.delivery = Delivery::Messages;
    config
}
