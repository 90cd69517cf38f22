//! Listening sockets with a long queue of pending connections.

use std::fmt;
use std::io;
use std::net::{Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::path::PathBuf;

use socket2::{Domain, Protocol, Socket, Type};

use crate::error::InvalidSetting;

/// The most connections that the system holds before they are accepted. The standard library asks for 128. When more arrive
/// at once, the clients without a place try again only after a second.
pub(super) const BACKLOG: i32 = 1024;

/// The number of free ports that are tried, if a port that is free for the first address is taken for the next.
const TRIES: usize = 16;

/// Whether several sockets can listen on one address on this system.
pub(super) const HAS_REUSE_PORT: bool =
    cfg!(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))));

/// How TCP sockets are bound.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TcpOptions {
    pub(super) reuse_port: bool,
    pub(super) only_v6: bool,
}

/// The reason why a server cannot listen, or stopped listening.
///
/// `Debug` prints the same sentence as `Display`, because Rust prints `Debug` when `main` returns an error.
#[non_exhaustive]
pub enum ServeError {
    /// A setting of the server is invalid.
    Setting(InvalidSetting),
    /// The host name to listen on cannot be resolved.
    Resolve(io::Error),
    /// This address cannot be listened on.
    Bind {
        /// The address, with the port that was requested.
        address: SocketAddr,
        /// The system's error.
        error: io::Error,
    },
    /// This Unix socket cannot be listened on.
    BindUnix {
        /// The path of the socket.
        path: PathBuf,
        /// The system's error, or the reason.
        error: io::Error,
    },
    /// The runtime cannot watch the listening socket.
    Io(io::Error),
}

impl ServeError {
    /// The kind of the system's error: `AddrInUse`, `PermissionDenied`, … An invalid setting is `InvalidInput`.
    pub fn kind(&self) -> io::ErrorKind {
        self.io_error().map_or(io::ErrorKind::InvalidInput, io::Error::kind)
    }

    /// The system's error, if there was one.
    pub fn io_error(&self) -> Option<&io::Error> {
        match self {
            Self::Setting(_) => None,
            Self::Resolve(error) | Self::Bind { error, .. } | Self::BindUnix { error, .. } | Self::Io(error) => {
                Some(error)
            }
        }
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting(mistake) => mistake.fmt(f),
            Self::Resolve(error) => write!(f, "cannot resolve the address to listen on: {error}"),
            Self::Bind { address, error } => write!(f, "cannot listen on {address}: {error}"),
            Self::BindUnix { path, error } => write!(f, "cannot listen on the Unix socket {}: {error}", path.display()),
            Self::Io(error) => write!(f, "cannot serve: {error}"),
        }
    }
}

impl fmt::Debug for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // `Display` includes the system's error.
        self.io_error().and_then(std::error::Error::source)
    }
}

impl From<InvalidSetting> for ServeError {
    fn from(mistake: InvalidSetting) -> Self {
        Self::Setting(mistake)
    }
}

impl From<io::Error> for ServeError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ServeError> for io::Error {
    fn from(error: ServeError) -> Self {
        Self::new(error.kind(), error)
    }
}

/// Listens on all of the addresses, at least on one.
pub(super) fn bind(addresses: impl ToSocketAddrs, options: TcpOptions) -> Result<Vec<TcpListener>, ServeError> {
    let mut different: Vec<SocketAddr> = Vec::new();
    for address in addresses.to_socket_addrs().map_err(ServeError::Resolve)? {
        if !different.contains(&address) {
            different.push(address);
        }
    }
    let mut tries = 0;
    loop {
        tries += 1;
        match bind_all(&different, options) {
            // Port 0 means any free port. The port was free for the first address only.
            Err(ServeError::Bind { address, error })
                if address.port() == 0
                    && different.len() > 1
                    && error.kind() == io::ErrorKind::AddrInUse
                    && tries < TRIES => {}
            bound => return bound,
        }
    }
}

/// Binds each address. Those with port 0 get the same port.
fn bind_all(addresses: &[SocketAddr], options: TcpOptions) -> Result<Vec<TcpListener>, ServeError> {
    let mut listeners = Vec::new();
    let mut port = None;
    let mut absent = None;
    for &address in addresses {
        let mut bound_to = address;
        if let (0, Some(port)) = (address.port(), port) {
            bound_to.set_port(port);
        }
        // A socket for all IPv6 addresses also takes all IPv4 addresses, unless another socket does.
        let beside_another = addresses.len() > 1 && address.ip() == Ipv6Addr::UNSPECIFIED;
        let options = TcpOptions { only_v6: options.only_v6 || beside_another, ..options };
        match bind_one(bound_to, options) {
            Ok(listener) => {
                port = port.or_else(|| listener.local_addr().ok().map(|address| address.port()));
                listeners.push(listener);
            }
            // A name may have an address of a family that this machine does not support.
            Err(failure) if failure.family_is_absent() => absent = absent.or(Some((address, failure.error))),
            Err(Failure { error, .. }) => return Err(ServeError::Bind { address, error }),
        }
    }
    match absent {
        _ if !listeners.is_empty() => Ok(listeners),
        Some((address, error)) => Err(ServeError::Bind { address, error }),
        None => {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "there is no address to listen on");
            Err(ServeError::Resolve(error))
        }
    }
}

/// The reason why an address could not be bound.
struct Failure {
    /// Whether there was a socket to bind.
    has_socket: bool,
    error: io::Error,
}

impl Failure {
    fn family_is_absent(&self) -> bool {
        !self.has_socket || self.error.kind() == io::ErrorKind::AddrNotAvailable
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self { has_socket: true, error }
    }
}

fn bind_one(address: SocketAddr, options: TcpOptions) -> Result<TcpListener, Failure> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))
        .map_err(|error| Failure { has_socket: false, error })?;
    // On other systems this would let two servers share the address.
    if cfg!(unix) {
        socket.set_reuse_address(true)?;
    }
    if options.reuse_port {
        set_reuse_port(&socket)?;
    }
    if options.only_v6 && address.is_ipv6() {
        socket.set_only_v6(true)?;
    } else if address.ip() == Ipv6Addr::UNSPECIFIED {
        // The default differs between systems. OpenBSD does not allow it.
        let _ = socket.set_only_v6(false);
    }
    // Connections must send small writes at once. On most systems they inherit this option.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Lets several sockets listen on one address, among which the system distributes connections if it can.
fn set_reuse_port(socket: &Socket) -> io::Result<()> {
    #[cfg(target_os = "freebsd")]
    socket.set_reuse_port_lb(true)?;
    #[cfg(all(
        unix,
        not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin", target_os = "freebsd"))
    ))]
    socket.set_reuse_port(true)?;
    let _ = socket;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(addresses: impl ToSocketAddrs) -> Result<Vec<TcpListener>, ServeError> {
        super::bind(addresses, TcpOptions::default())
    }

    fn addresses(listeners: &[TcpListener]) -> Vec<SocketAddr> {
        listeners.iter().map(|listener| listener.local_addr().unwrap()).collect()
    }

    /// Without IPv6, the tests have nothing to check.
    fn has_ipv6() -> bool {
        TcpListener::bind("[::1]:0").is_ok()
    }

    #[test]
    fn each_address_of_a_name_is_listened_on_with_one_port() {
        let given: [SocketAddr; 3] = ["[::1]:0", "127.0.0.1:0", "127.0.0.1:0"].map(|text| text.parse().unwrap());
        let bound = addresses(&bind(&given[..]).unwrap());
        let port = bound[0].port();
        let expected = if has_ipv6() { vec!["::1", "127.0.0.1"] } else { vec!["127.0.0.1"] };
        let expected: Vec<_> = expected.into_iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), port)).collect();
        assert_eq!(bound, expected);
    }

    #[test]
    fn all_of_both_families_is_two_sockets() {
        let given: [SocketAddr; 2] = ["[::]:0", "0.0.0.0:0"].map(|text| text.parse().unwrap());
        let bound = bind(&given[..]).unwrap();
        assert_eq!(bound.len(), if has_ipv6() { 2 } else { 1 });
    }

    #[test]
    fn an_address_that_is_taken_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let free: SocketAddr = "127.0.0.2:0".parse().unwrap();
        for given in [vec![address], vec![free, address]] {
            let error = bind(&given[..]).unwrap_err();
            assert!(matches!(&error, ServeError::Bind { address: named, .. } if *named == address));
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
            let told = error.to_string();
            assert!(told.starts_with(&format!("cannot listen on {address}: ")), "{told}");
            assert_eq!(format!("{error:?}"), told);
            let error = io::Error::from(error);
            assert_eq!((error.kind(), error.to_string()), (io::ErrorKind::AddrInUse, told));
        }
    }

    #[test]
    fn an_address_that_is_not_ours_is_left_out_beside_others() {
        let (foreign, ours): (SocketAddr, SocketAddr) =
            ("192.0.2.1:0".parse().unwrap(), "127.0.0.1:0".parse().unwrap());
        let error = bind(foreign).unwrap_err();
        assert!(error.to_string().starts_with("cannot listen on 192.0.2.1:0: "), "{error}");
        assert_eq!(addresses(&bind(&[foreign, ours][..]).unwrap()).len(), 1);
    }

    #[test]
    fn a_socket_for_all_ipv6_addresses_takes_ipv4_unless_told_otherwise() {
        if !has_ipv6() {
            return;
        }
        for only_v6 in [false, true] {
            let options = TcpOptions { only_v6, ..TcpOptions::default() };
            let bound = super::bind("[::]:0", options).unwrap();
            let port = bound[0].local_addr().unwrap().port();
            assert_eq!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), only_v6);
            assert!(std::net::TcpStream::connect(("::1", port)).is_ok());
            assert_eq!(bind(("0.0.0.0", port)).is_ok(), only_v6);
        }
    }

    #[test]
    fn a_port_is_shared_if_all_that_listen_on_it_allow_it() {
        let shared = TcpOptions { reuse_port: true, ..TcpOptions::default() };
        if !HAS_REUSE_PORT {
            return;
        }
        let first = super::bind("127.0.0.1:0", shared).unwrap();
        let address = first[0].local_addr().unwrap();
        assert_eq!(addresses(&super::bind(address, shared).unwrap()), [address]);
        assert_eq!(bind(address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn no_address_is_none() {
        assert_eq!(bind(&[][..]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert!(bind("nowhere.invalid:1").unwrap_err().to_string().starts_with("cannot resolve the address"));
    }
}
