//! What the system knows of a TCP socket, for adapters.

use std::io;

use socket2::SockRef;
use ws_proto::InFlight;

/// How many unsent bytes the socket of a slow connection holds, unless a server or client is told otherwise. The rest waits
/// in the connection, where its deadlines see it move, and where a Close or a ping does not wait behind it.
pub(crate) const NOTSENT_LOWAT: u32 = 64 << 10;

/// A TCP socket of a runtime's, as the system sees it.
#[derive(Debug)]
pub struct TcpSocket<'s>(SockRef<'s>);

impl<'s> TcpSocket<'s> {
    /// The socket under a stream of std's, or of a runtime's.
    pub fn of<S>(stream: &'s S) -> Self
    where
        SockRef<'s>: From<&'s S>,
    {
        Self(SockRef::from(stream))
    }

    /// How much of what was written the peer has not taken, for [`Transport::in_flight`](crate::Transport::in_flight): on
    /// Linux 5.4 and later with the peer's receive window, on Apple's systems without it; elsewhere, and for other sockets,
    /// `None`. It costs one system call.
    pub fn in_flight(&self) -> Option<InFlight> {
        system::in_flight(&self.0)
    }

    /// Has the system take no more when it holds so many bytes that it has not sent (`TCP_NOTSENT_LOWAT`), for
    /// [`Transport::set_notsent_lowat`](crate::Transport::set_notsent_lowat). Does nothing where the system has no such
    /// option; that is, on others than Linux, Android and Apple's.
    ///
    /// # Errors
    ///
    /// When the socket is none of TCP's.
    pub fn set_notsent_lowat(&self, bytes: u32) -> io::Result<()> {
        system::set_notsent_lowat(&self.0, bytes)
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::io;
    use std::sync::OnceLock;

    use nix::libc;
    use nix::sys::socket::{getsockopt, setsockopt};
    use nix::sys::utsname::uname;
    use nix::{getsockopt_impl, setsockopt_impl, sockopt_impl};
    use socket2::Socket;
    use ws_proto::InFlight;

    sockopt_impl!(
        /// `TCP_INFO`, as far as it is read here.
        TcpInfo,
        GetOnly,
        libc::IPPROTO_TCP,
        libc::TCP_INFO,
        Info
    );

    sockopt_impl!(
        /// How many unsent bytes the system holds before it takes no more.
        NotsentLowat,
        SetOnly,
        libc::IPPROTO_TCP,
        libc::TCP_NOTSENT_LOWAT,
        u32
    );

    pub(super) fn set_notsent_lowat(socket: &Socket, bytes: u32) -> io::Result<()> {
        Ok(setsockopt(socket, NotsentLowat, &bytes)?)
    }

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

    pub(super) fn in_flight(socket: &Socket) -> Option<InFlight> {
        if !has_send_window() {
            return None;
        }
        let info = getsockopt(socket, TcpInfo).ok()?;
        let sent_once = info.bytes_sent.saturating_sub(info.bytes_retrans);
        // The numbers of SYN and FIN are acknowledged, too, but not sent as bytes.
        let unacknowledged = sent_once.saturating_sub(info.bytes_acked) + u64::from(info.notsent_bytes);
        Some(InFlight::new(unacknowledged, Some(info.snd_wnd.into())))
    }

    /// Whether the kernel fills in all of [`Info`]: from 5.4 on. An older one returns less, which is refused with a panic.
    fn has_send_window() -> bool {
        static KNOWS: OnceLock<bool> = OnceLock::new();
        *KNOWS.get_or_init(|| uname().is_ok_and(|name| name.release().to_str().is_some_and(is_new_enough)))
    }

    fn is_new_enough(release: &str) -> bool {
        let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|number| number.parse::<u32>().ok());
        (numbers.next(), numbers.next()) >= (Some(5), Some(4))
    }

    #[cfg(test)]
    pub(super) mod tests {
        use std::mem::{offset_of, size_of};

        use super::*;

        sockopt_impl!(
            /// To see what was set.
            NotsentLowat,
            GetOnly,
            libc::IPPROTO_TCP,
            libc::TCP_NOTSENT_LOWAT,
            u32
        );

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

#[cfg(target_vendor = "apple")]
mod system {
    use std::io;

    use nix::libc;
    use nix::sys::socket::{getsockopt, setsockopt};
    use nix::{getsockopt_impl, setsockopt_impl, sockopt_impl};
    use socket2::Socket;
    use ws_proto::InFlight;

    /// As in Apple's `netinet/tcp.h`; the crate `libc` does not have it.
    const TCP_NOTSENT_LOWAT: libc::c_int = 0x201;

    sockopt_impl!(
        /// How many bytes the send buffer holds: unsent ones, and those that have not been acknowledged.
        UnacknowledgedBytes,
        GetOnly,
        libc::SOL_SOCKET,
        libc::SO_NWRITE,
        libc::c_int
    );

    sockopt_impl!(
        /// How many unsent bytes the system holds before it takes no more.
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

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
mod system {
    use std::io;

    use socket2::Socket;
    use ws_proto::InFlight;

    pub(super) fn in_flight(_socket: &Socket) -> Option<InFlight> {
        None
    }

    pub(super) fn set_notsent_lowat(_socket: &Socket, _bytes: u32) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn what_the_peer_takes_is_seen() {
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
        assert_eq!(nix::sys::socket::getsockopt(&stream, system::tests::NotsentLowat).unwrap(), 10_000);
    }
}
