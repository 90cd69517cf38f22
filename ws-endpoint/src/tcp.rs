//! What the system knows of a TCP socket, for adapters.

use socket2::SockRef;
use ws_proto::InFlight;

/// How much of what was written to this TCP socket the peer has not taken, for
/// [`Transport::in_flight`](crate::Transport::in_flight): on Linux 5.4 and later with the peer's receive window, on Apple's
/// systems without it; elsewhere, and for other sockets, `None`. It costs one system call.
pub fn in_flight<'s, S>(socket: &'s S) -> Option<InFlight>
where
    SockRef<'s>: From<&'s S>,
{
    system::in_flight(&SockRef::from(socket))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::sync::OnceLock;

    use nix::libc;
    use nix::sys::socket::getsockopt;
    use nix::sys::utsname::uname;
    use nix::{getsockopt_impl, sockopt_impl};
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
        Some(InFlight { unacknowledged, window_edge: Some(info.bytes_acked + u64::from(info.snd_wnd)) })
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
    mod tests {
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

#[cfg(target_vendor = "apple")]
mod system {
    use nix::libc;
    use nix::sys::socket::getsockopt;
    use nix::{getsockopt_impl, sockopt_impl};
    use socket2::Socket;
    use ws_proto::InFlight;

    sockopt_impl!(
        /// How many bytes the send buffer holds: unsent ones, and those that have not been acknowledged.
        UnacknowledgedBytes,
        GetOnly,
        libc::SOL_SOCKET,
        libc::SO_NWRITE,
        libc::c_int
    );

    pub(super) fn in_flight(socket: &Socket) -> Option<InFlight> {
        let unacknowledged = u64::try_from(getsockopt(socket, UnacknowledgedBytes).ok()?).ok()?;
        Some(InFlight { unacknowledged, window_edge: None })
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
mod system {
    use socket2::Socket;
    use ws_proto::InFlight;

    pub(super) fn in_flight(_socket: &Socket) -> Option<InFlight> {
        None
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
        assert_eq!(in_flight(&stream).unwrap().unacknowledged, 0);

        stream.set_nonblocking(true).unwrap();
        let mut written = 0;
        loop {
            match stream.write(&[0; 65_536]) {
                Ok(n) => written += n as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        let full = in_flight(&stream).unwrap();
        assert!(full.unacknowledged > 0 && full.unacknowledged <= written, "{full:?} of {written}");

        let mut buffer = vec![0; written as usize];
        peer.read_exact(&mut buffer).unwrap();
        let until_now = |before: u64| loop {
            let now = in_flight(&stream).unwrap();
            if now.unacknowledged <= before {
                break now;
            }
            std::thread::yield_now();
        };
        let read = until_now(0);
        assert!(read.window_edge > full.window_edge, "{read:?} after {full:?}");
    }
}
