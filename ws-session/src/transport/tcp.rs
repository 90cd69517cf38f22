//! The system's view of a TCP socket, for adapters.

use std::io;

use socket2::SockRef;
use ws_proto::InFlight;

/// The default limit of unsent bytes that the socket of a slow connection holds. The rest waits in the outgoing queue, where
/// deadlines see its progress and a Close or a ping does not wait behind it.
pub(crate) const NOTSENT_LOWAT: u32 = 64 << 10;

/// A TCP socket as the system sees it.
#[derive(Debug)]
pub struct TcpSocket<'s>(SockRef<'s>);

impl<'s> TcpSocket<'s> {
    /// The socket of a stream of `std` or of a runtime.
    pub fn of<S>(stream: &'s S) -> Self
    where
        SockRef<'s>: From<&'s S>,
    {
        Self(SockRef::from(stream))
    }

    /// The written bytes that the peer has not taken, for [`Transport::in_flight`](crate::Transport::in_flight). On Linux 5.4
    /// and later the peer's receive window is included; on Apple's systems it is not. `None` on other systems, for other
    /// sockets, and without the crate feature `tcp-info`. It costs one system call.
    pub fn in_flight(&self) -> Option<InFlight> {
        system::in_flight(&self.0)
    }

    /// Limits the unsent bytes that the system holds (`TCP_NOTSENT_LOWAT`), for
    /// [`Transport::set_notsent_lowat`](crate::Transport::set_notsent_lowat). It does nothing on systems without this option:
    /// all except Linux, Android and, with the crate feature `tcp-info`, Apple's.
    ///
    /// # Errors
    ///
    /// If the socket is not a TCP socket.
    pub fn set_notsent_lowat(&self, bytes: u32) -> io::Result<()> {
        system::set_notsent_lowat(&self.0, bytes)
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::io;

    use socket2::Socket;

    #[cfg(feature = "tcp-info")]
    pub(super) use self::info::in_flight;
    #[cfg(not(feature = "tcp-info"))]
    pub(super) use super::unknown::in_flight;

    pub(super) fn set_notsent_lowat(socket: &Socket, bytes: u32) -> io::Result<()> {
        socket.set_tcp_notsent_lowat(bytes)
    }

    #[cfg(feature = "tcp-info")]
    mod info {
        use std::sync::OnceLock;

        use nix::libc;
        use nix::sys::socket::getsockopt;
        use nix::sys::utsname::uname;
        use nix::{getsockopt_impl, sockopt_impl};
        use socket2::Socket;
        use ws_proto::InFlight;

        sockopt_impl!(
            /// The part of `TCP_INFO` that is used here.
            TcpInfo,
            GetOnly,
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            Info
        );

        /// The beginning of Linux's `struct tcp_info`.
        #[derive(Clone, Copy, Debug)]
        #[repr(C)]
        #[expect(unreachable_pub, reason = "the trait that reads it is public")]
        pub struct Info {
            _before: [u64; 15],
            pub(super) bytes_acked: u64,
            _bytes_received: u64,
            _segments: [u32; 2],
            pub(super) notsent_bytes: u32,
            _min_rtt: u32,
            _data_segments: [u32; 2],
            _rates: [u64; 4],
            _delivered: [u32; 2],
            pub(super) bytes_sent: u64,
            pub(super) bytes_retrans: u64,
            _reordering: [u32; 3],
            pub(super) snd_wnd: u32,
        }

        pub(in super::super) fn in_flight(socket: &Socket) -> Option<InFlight> {
            if !has_send_window() {
                return None;
            }
            let info = getsockopt(socket, TcpInfo).ok()?;
            let sent_once = info.bytes_sent.saturating_sub(info.bytes_retrans);
            // The sequence numbers of SYN and FIN are acknowledged too, but are not bytes.
            let unacknowledged = sent_once.saturating_sub(info.bytes_acked) + u64::from(info.notsent_bytes);
            Some(InFlight::new(unacknowledged, Some(info.snd_wnd.into())))
        }

        /// Whether the kernel fills in all of [`Info`], as from Linux 5.4 on. `nix` panics at the shorter answer of an older
        /// one.
        fn has_send_window() -> bool {
            static KNOWS: OnceLock<bool> = OnceLock::new();
            *KNOWS.get_or_init(|| uname().is_ok_and(|name| name.release().to_str().is_some_and(is_new_enough)))
        }

        fn is_new_enough(release: &str) -> bool {
            let mut numbers =
                release.split(|c: char| !c.is_ascii_digit()).map_while(|number| number.parse::<u32>().ok());
            (numbers.next(), numbers.next()) >= (Some(5), Some(4))
        }

        #[cfg(test)]
        mod tests {
            #[cfg(target_env = "gnu")]
            use std::mem::{offset_of, size_of};

            use super::*;

            #[test]
            #[cfg(target_env = "gnu")]
            fn the_fields_lie_where_the_kernel_puts_them() {
                type Whole = libc::tcp_info;
                assert_eq!(offset_of!(Info, bytes_acked), offset_of!(Whole, tcpi_bytes_acked));
                assert_eq!(offset_of!(Info, notsent_bytes), offset_of!(Whole, tcpi_notsent_bytes));
                assert_eq!(offset_of!(Info, bytes_sent), offset_of!(Whole, tcpi_bytes_sent));
                assert_eq!(offset_of!(Info, bytes_retrans), offset_of!(Whole, tcpi_bytes_retrans));
                assert_eq!(offset_of!(Info, snd_wnd), offset_of!(Whole, tcpi_snd_wnd));
                assert_eq!(size_of::<Info>(), offset_of!(Whole, tcpi_rcv_wnd));
            }

            #[test]
            fn releases_are_compared_as_numbers() {
                for release in ["5.4.0-26-generic", "5.10", "6.1.0", "10.0-rc1"] {
                    assert!(is_new_enough(release), "{release}");
                }
                for release in ["5.3.18", "4.19.0-27-amd64", "4.4.0", "3.10.0-1160.el7", "", "unknown"] {
                    assert!(!is_new_enough(release), "{release}");
                }
            }
        }
    }
}

#[cfg(all(target_vendor = "apple", feature = "tcp-info"))]
mod system {
    use std::io;

    use nix::libc;
    use nix::sys::socket::{getsockopt, setsockopt};
    use nix::{getsockopt_impl, setsockopt_impl, sockopt_impl};
    use socket2::Socket;
    use ws_proto::InFlight;

    /// The constant of Apple's `netinet/tcp.h`, which the crate `libc` does not have.
    const TCP_NOTSENT_LOWAT: libc::c_int = 0x201;

    sockopt_impl!(
        /// The bytes in the send buffer: unsent ones, and unacknowledged ones.
        UnacknowledgedBytes,
        GetOnly,
        libc::SOL_SOCKET,
        libc::SO_NWRITE,
        libc::c_int
    );

    sockopt_impl!(
        /// The number of unsent bytes at which the system takes no more.
        NotsentLowat,
        SetOnly,
        libc::IPPROTO_TCP,
        TCP_NOTSENT_LOWAT,
        u32
    );

    pub(super) fn set_notsent_lowat(socket: &Socket, bytes: u32) -> io::Result<()> {
        Ok(setsockopt(socket, NotsentLowat, &bytes)?)
    }

    pub(super) fn in_flight(socket: &Socket) -> Option<InFlight> {
        let unacknowledged = u64::try_from(getsockopt(socket, UnacknowledgedBytes).ok()?).ok()?;
        Some(InFlight::new(unacknowledged, None))
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", all(target_vendor = "apple", feature = "tcp-info"))))]
mod system {
    use std::io;

    use socket2::Socket;

    pub(super) use super::unknown::in_flight;

    pub(super) fn set_notsent_lowat(_socket: &Socket, _bytes: u32) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(not(all(feature = "tcp-info", any(target_os = "linux", target_os = "android", target_vendor = "apple"))))]
mod unknown {
    use socket2::Socket;
    use ws_proto::InFlight;

    pub(super) fn in_flight(_socket: &Socket) -> Option<InFlight> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[cfg(feature = "tcp-info")]
    use std::io::{ErrorKind, Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    #[cfg(feature = "tcp-info")]
    fn acknowledged_bytes_are_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        let in_flight = |stream: &TcpStream| TcpSocket::of(stream).in_flight().unwrap();
        assert_eq!(in_flight(&stream).unacknowledged, 0);

        stream.set_nonblocking(true).unwrap();
        let mut written = 0;
        loop {
            match stream.write(&[0; 65_536]) {
                Ok(n) => written += n as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        let full = in_flight(&stream);
        assert!(full.unacknowledged > 0 && full.unacknowledged <= written, "{full:?} of {written}");

        let mut buffer = vec![0; written as usize];
        peer.read_exact(&mut buffer).unwrap();
        let until_now = |before: u64| loop {
            let now = in_flight(&stream);
            if now.unacknowledged <= before {
                break now;
            }
            std::thread::yield_now();
        };
        let read = until_now(0);
        assert!(read.window > full.window, "{read:?} after {full:?}");
    }

    #[test]
    fn unsent_bytes_are_bounded() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        TcpSocket::of(&stream).set_notsent_lowat(10_000).unwrap();
        assert_eq!(SockRef::from(&stream).tcp_notsent_lowat().unwrap(), 10_000);
    }
}
