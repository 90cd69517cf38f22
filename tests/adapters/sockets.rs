//! Where a server listens: several TCP addresses, sockets that listen already, and a port that servers share.

use std::net::{SocketAddr, TcpListener, TcpStream};

use super::setup::*;

#[test]
fn several_addresses_are_listened_on() {
    let addresses: [SocketAddr; 2] = ["127.0.0.1:0", "127.0.0.2:0"].map(|text| text.parse().unwrap());
    let listening = block_on(async { Server::new().bind(&addresses[..]).await?.bind("127.0.0.3:0").await }).unwrap();
    let bound = listening.local_addrs().unwrap();
    let ips: Vec<_> = bound.iter().map(|address| address.ip().to_string()).collect();
    assert_eq!(ips, ["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
    assert_eq!(bound[0].port(), bound[1].port());
    let server = Running::of(listening, echo);
    assert_eq!(server.address, bound[0]);
    for address in bound {
        let mut ws = block_on(connect(&format!("ws://{address}/"))).unwrap();
        assert_eq!(ws.peer_addr(), Some(address));
        send(&ws, "there");
        assert_eq!(text(&mut ws), "there");
        close(ws);
    }
    server.stop();
}

#[test]
fn an_address_that_is_added_must_be_there() {
    let error = block_on(async { Server::new().bind("127.0.0.1:0").await?.bind("192.0.2.1:0").await }).unwrap_err();
    assert!(matches!(&error, ServeError::Bind { address, .. } if address.ip().to_string() == "192.0.2.1"), "{error}");
}

#[test]
fn given_sockets_are_used() {
    let given = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses: Vec<_> = given.iter().map(|listener| listener.local_addr().unwrap()).collect();
    let listening = block_on(async { Server::new().listen_on_each(given) }).unwrap();
    assert_eq!(listening.local_addrs().unwrap(), addresses);
    let server = Running::of(listening, echo);
    for address in &addresses {
        close(block_on(connect(&format!("ws://{address}/"))).unwrap());
    }
    server.stop();
    let refused = addresses.iter().all(|address| TcpStream::connect(address).is_err());
    assert!(refused, "the sockets are closed");

    let none = Server::new().listen_on_each(Vec::<TcpListener>::new()).unwrap_err();
    assert_eq!(none.to_string(), "cannot serve: there is no socket to listen on");
}

/// The server that came first stops, and clients notice nothing.
#[test]
fn servers_share_a_port_if_they_say_so() {
    let server = || Server::new().reuse_port(true);
    let first = match block_on(server().bind("127.0.0.1:0")) {
        Err(ServeError::Setting(InvalidSetting::ReusePortUnsupported)) if cfg!(not(unix)) => return,
        first => Running::of(first.unwrap(), echo),
    };
    let address = first.address;
    let second = Running::of(block_on(server().bind(address)).unwrap(), echo);
    assert_eq!(block_on(Server::new().bind(address)).unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    close(first.connect());
    first.stop();
    for _ in 0..4 {
        close(second.connect());
    }
    second.stop();
}

#[cfg(unix)]
mod unix {
    use std::fs;
    use std::io::ErrorKind;
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::BoxFuture;

    use super::*;

    /// A folder of this test.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            static MADE: AtomicU32 = AtomicU32::new(0);
            let number = MADE.fetch_add(1, Ordering::Relaxed);
            let name = format!("ws-listen-{}-{number}-{}", std::process::id(), module_path!().len());
            let path = std::env::temp_dir().join(name);
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn socket(&self) -> PathBuf {
            self.0.join("server.sock")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// A server on a Unix socket that runs.
    struct Local {
        path: PathBuf,
        handle: ServerHandle,
        serving: BoxFuture<'static, std::io::Result<()>>,
    }

    impl Local {
        fn start(server: Server, path: &Path) -> Self {
            Self::of(block_on(server.bind_unix(path)).unwrap(), path)
        }

        fn of(listening: Listening, path: &Path) -> Self {
            let handle = listening.handle();
            Self { path: path.to_owned(), handle, serving: Box::pin(spawn(listening.serve(echo))) }
        }

        fn client(&self) -> Client {
            Client::new("ws://server.test/").unix_socket(&self.path)
        }

        fn answers(&self) {
            let mut ws = block_on(self.client().connect()).unwrap();
            send(&ws, "there");
            assert_eq!(text(&mut ws), "there");
            close(ws);
        }

        fn stop(self) {
            self.handle.shutdown();
            block_on(self.serving).unwrap();
        }
    }

    /// A socket that nobody listens on any more.
    fn leave_behind(path: &Path) {
        drop(UnixListener::bind(path).unwrap());
        assert!(path.exists());
    }

    fn error_of(path: &Path) -> ServeError {
        let error = block_on(Server::new().bind_unix(path)).unwrap_err();
        assert!(matches!(&error, ServeError::BindUnix { path: named, .. } if named == path), "{error}");
        let begins = format!("cannot listen on the Unix socket {}: ", path.display());
        assert!(error.to_string().starts_with(&begins), "{error}");
        error
    }

    #[test]
    fn a_unix_socket_is_there_as_long_as_the_server_listens() {
        let folder = Folder::new();
        let path = folder.socket();
        let server = Local::start(Server::new(), &path);
        assert!(path.exists());
        server.answers();
        server.stop();
        assert!(!path.exists());

        let listening = block_on(Server::new().bind_unix(&path)).unwrap();
        assert_eq!(listening.local_addr().unwrap_err().kind(), ErrorKind::AddrNotAvailable);
        assert!(listening.local_addrs().unwrap().is_empty());
        assert!(format!("{listening:?}").contains("server.sock"), "{listening:?}");
        drop(listening);
        assert!(!path.exists());
    }

    #[test]
    fn tcp_and_unix_sockets_are_one_server() {
        let folder = Folder::new();
        let listening = block_on(async { Server::new().bind_unix(folder.socket()).await?.bind("127.0.0.1:0").await });
        let listening = listening.unwrap();
        let address = listening.local_addr().unwrap();
        let server = Local::of(listening, &folder.socket());
        let over_unix = block_on(server.client().connect()).unwrap();
        let over_tcp = block_on(connect(&format!("ws://{address}/"))).unwrap();
        until(|| server.handle.connections() == 2);
        [over_unix, over_tcp].into_iter().for_each(close);
        server.stop();
    }

    #[test]
    fn a_socket_that_was_left_behind_is_replaced() {
        let folder = Folder::new();
        let path = folder.socket();
        leave_behind(&path);
        let server = Local::start(Server::new(), &path);
        server.answers();
        server.stop();
    }

    #[test]
    fn a_socket_on_which_a_server_answers_stays() {
        let folder = Folder::new();
        let path = folder.socket();
        let server = Local::start(Server::new(), &path);
        let error = error_of(&path);
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().ends_with("a server answers there"), "{error}");
        server.answers();
        server.stop();

        // One that does not accept, with as many connections as may wait.
        let listener = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        listener.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
        listener.listen(1).unwrap();
        let waiting: Vec<_> = std::iter::repeat_with(|| {
            let client = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
            client.set_nonblocking(true).unwrap();
            client.connect(&socket2::SockAddr::unix(&path).unwrap()).map(|()| client)
        })
        .take(16)
        .map_while(Result::ok)
        .collect();
        assert!(!waiting.is_empty());
        assert_eq!(error_of(&path).kind(), ErrorKind::AddrInUse);

        // One of another kind.
        fs::remove_file(&path).unwrap();
        let _datagrams = UnixDatagram::bind(&path).unwrap();
        assert_eq!(error_of(&path).kind(), ErrorKind::AddrInUse);
        assert!(path.exists());
    }

    #[test]
    fn a_file_that_is_no_socket_stays() {
        let folder = Folder::new();
        let path = folder.socket();
        fs::write(&path, "precious").unwrap();
        let error = error_of(&path);
        assert!(error.to_string().ends_with("there is a file that is no socket"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");

        // A link is no socket either, wherever it leads.
        let link = folder.0.join("link");
        let socket = folder.0.join("other.sock");
        leave_behind(&socket);
        symlink(&socket, &link).unwrap();
        error_of(&link);
        assert!(link.is_symlink() && socket.exists());
        error_of(&folder.0);
    }

    #[test]
    fn a_path_must_be_possible() {
        let folder = Folder::new();
        assert_eq!(error_of(&folder.0.join("missing/server.sock")).kind(), ErrorKind::NotFound);
        error_of(&folder.0.join("long".repeat(100)));
    }

    #[test]
    fn permissions_are_set() {
        let folder = Folder::new();
        let path = folder.socket();
        for mode in [0o660, 0o600, 0o777, 0o000] {
            let listening = block_on(Server::new().bind_unix(UnixSocket::new(&path).mode(mode))).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
            drop(listening);
        }
        let error = block_on(Server::new().bind_unix(UnixSocket::new(&path).mode(0o4777))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(!path.exists());
    }

    /// Only a privileged process can show it.
    #[test]
    fn the_owner_of_a_socket_that_is_replaced_stays() {
        let folder = Folder::new();
        let path = folder.socket();
        leave_behind(&path);
        if chown(&path, Some(4321), Some(4322)).is_err() {
            return;
        }
        let socket = UnixSocket::new(&path).mode(0o600);
        let _listening = block_on(Server::new().bind_unix(socket)).unwrap();
        let found = fs::metadata(&path).unwrap();
        assert_eq!((found.uid(), found.gid(), found.mode() & 0o777), (4321, 4322, 0o600));
    }

    #[test]
    fn a_socket_of_another_server_is_not_removed() {
        let folder = Folder::new();
        let path = folder.socket();
        let first = Local::start(Server::new(), &path);
        fs::rename(&path, folder.0.join("old.sock")).unwrap();
        let second = Local::start(Server::new(), &path);
        first.stop();
        second.answers();
        second.stop();
        assert!(!path.exists());
    }

    #[test]
    fn given_unix_sockets_are_used_and_their_files_stay() {
        let folder = Folder::new();
        let path = folder.socket();
        let listener = UnixListener::bind(&path).unwrap();
        let server = Local::of(block_on(async { Server::new().listen_on(listener) }).unwrap(), &path);
        server.answers();
        server.stop();
        assert!(path.exists());
    }

    #[test]
    fn descriptors_are_recognized() {
        let folder = Folder::new();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        let unix = UnixListener::bind(folder.socket()).unwrap();
        let given = [OwnedFd::from(tcp), OwnedFd::from(unix)].map(|fd| ListeningSocket::try_from(fd).unwrap());
        let listening = block_on(async { Server::new().listen_on_each(given) }).unwrap();
        assert_eq!(listening.local_addrs().unwrap(), [address]);
        let server = Local::of(listening, &folder.socket());
        server.answers();
        close(block_on(connect(&format!("ws://{address}/"))).unwrap());
        server.stop();

        let file = fs::File::open("/dev/null").unwrap();
        ListeningSocket::try_from(OwnedFd::from(file)).unwrap_err();
        let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let error = ListeningSocket::try_from(OwnedFd::from(datagrams)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let (pair, _other) = UnixStream::pair().unwrap();
        ListeningSocket::try_from(OwnedFd::from(pair)).unwrap();
    }

    #[cfg(feature = "proxies")]
    #[test]
    fn a_peer_without_an_address_can_be_a_trusted_proxy() {
        let folder = Folder::new();
        for (trusted, expected) in [(&["unix:"][..], Some("203.0.113.9")), (&["127.0.0.1"], None)] {
            let (tell, told) = std::sync::mpsc::channel();
            let handler = move |ws: WebSocket| {
                tell.send((ws.peer_addr(), ws.client_ip())).unwrap();
                drain(ws)
            };
            let server = Server::new().trusted_proxies(trusted);
            let listening = block_on(server.bind_unix(folder.socket())).unwrap();
            let handle = listening.handle();
            let serving = spawn(listening.serve(handler));
            let client = Client::new("ws://server.test/").header("X-Forwarded-For", "203.0.113.9");
            let ws = block_on(client.unix_socket(folder.socket()).connect()).unwrap();
            assert_eq!(hear(&told), (None, expected.map(|ip| ip.parse().unwrap())));
            close(ws);
            handle.shutdown();
            block_on(serving).unwrap();
        }
    }
}
