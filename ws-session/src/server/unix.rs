//! Unix sockets to listen on: their files.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, lchown};
use std::path::{self, Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};
use tracing::{debug, info};

use super::bind::{BACKLOG, ServeError};
use super::sockets::ListeningSocket;
use crate::logging::TARGET;

/// The bits of a mode that a socket can have.
const PERMISSIONS: u32 = 0o777;

/// A Unix socket to listen on, for [`Server::bind_unix`](super::Server::bind_unix). A path is one, with the permissions of
/// the process's umask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixSocket {
    path: PathBuf,
    mode: Option<u32>,
}

impl UnixSocket {
    /// A socket at this path. On Linux a path has at most 107 bytes. Its folder must exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), mode: None }
    }

    /// Sets the permissions of the socket's file, such as `0o660`. Users who may write to it may connect. They are set before
    /// the first connection is accepted. Without them, the umask of the process decides.
    ///
    /// The permissions of the folder count as well. Some systems other than Linux ignore those of the file.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Listens. The file is removed with the socket.
    pub(super) fn bind(self) -> Result<ListeningSocket, ServeError> {
        self.try_bind().map_err(|error| ServeError::BindUnix { path: self.path, error })
    }

    fn try_bind(&self) -> io::Result<ListeningSocket> {
        if let Some(mode) = self.mode.filter(|mode| mode & !PERMISSIONS != 0) {
            return Err(io::Error::new(
                ErrorKind::InvalidInput,
                format!("the mode {mode:#o} has more than permissions"),
            ));
        }
        let address = SockAddr::unix(&self.path)?;
        let owner = remove_stale(&self.path, &address)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&address)?;
        let file = SocketFile::new(&self.path)?;
        // While the file is still this process's own: its next owner could put a link in its place.
        if let Some(mode) = self.mode {
            fs::set_permissions(&self.path, fs::Permissions::from_mode(mode))?;
        }
        if let Some(owner) = owner {
            owner.give(&self.path)?;
        }
        // Before this, connections are refused. So nobody connects who may not.
        socket.listen(BACKLOG)?;
        Ok(ListeningSocket::with_file(socket.into(), file))
    }
}

/// A path, with the permissions of the umask.
impl<P: AsRef<Path>> From<P> for UnixSocket {
    fn from(path: P) -> Self {
        Self::new(path.as_ref())
    }
}

/// Removes a socket on which nobody answers. Returns its owner.
fn remove_stale(path: &Path, address: &SockAddr) -> io::Result<Option<Owner>> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        found => found?,
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::new(ErrorKind::AlreadyExists, "there is a file that is no socket"));
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // A server that accepts nobody at the moment must not hold this one up.
    socket.set_nonblocking(true)?;
    match socket.connect(address) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(error),
        _ => return Err(io::Error::new(ErrorKind::AddrInUse, "a server answers there")),
    }
    // Another server may have replaced it by now.
    if fs::symlink_metadata(path).is_ok_and(|now| Identity::of(&now) == Identity::of(&found)) {
        info!(target: TARGET, path = %path.display(), "replacing a Unix socket on which nobody answers");
        fs::remove_file(path)?;
    }
    // Where everybody may leave a socket, its owner is nobody to trust.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let is_open = fs::metadata(folder)?.mode() & 0o002 != 0;
    Ok((!is_open).then(|| Owner { user: found.uid(), group: found.gid() }))
}

struct Owner {
    user: u32,
    group: u32,
}

impl Owner {
    /// Makes the owner that of the file, as far as this process may do so.
    fn give(&self, path: &Path) -> io::Result<()> {
        let now = fs::symlink_metadata(path)?;
        let changed = |wanted: u32, found: u32| (wanted != found).then_some(wanted);
        let (user, group) = (changed(self.user, now.uid()), changed(self.group, now.gid()));
        // The group may be permitted where the user is not.
        for (user, group) in [(None, group), (user, None)] {
            if user.or(group).is_none() {
                continue;
            }
            if let Err(error) = lchown(path, user, group) {
                debug!(target: TARGET, path = %path.display(), user, group, "the Unix socket has another owner than before: {error}");
            }
        }
        Ok(())
    }
}

/// A file on its file system.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    number: u64,
}

impl Identity {
    fn of(file: &fs::Metadata) -> Self {
        Self { device: file.dev(), number: file.ino() }
    }
}

/// The file of a socket. It is removed when this is dropped, unless another has taken its place.
#[derive(Debug)]
pub(super) struct SocketFile {
    /// From the root, because the process may change its folder.
    path: PathBuf,
    identity: Identity,
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path::absolute(path)?, identity: Identity::of(&fs::symlink_metadata(path)?) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|file| Identity::of(&file) == self.identity) {
            // A folder that is no longer writable is not this server's to complain about.
            let _ = fs::remove_file(&self.path);
        }
    }
}
