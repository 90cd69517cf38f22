"""A peer that speaks as much HTTP and WebSocket as an attack wants, over a plain socket."""

import asyncio
import errno
import socket
import struct

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10

HEAD = (
    "GET {path} HTTP/1.1\r\nHost: attack.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)

# Where the ports of one source address do not suffice, others of the loopback network help.
SOURCES = [None, "127.0.0.2", "127.0.0.3", "127.0.0.4"]
NO_PORTS = "no ports are left to connect from, see net.ipv4.ip_local_port_range"


class Failure(Exception):
    """What was expected did not happen."""


def expect(truth, what):
    if not truth:
        raise Failure(what)


def head(path, *headers):
    return (HEAD.format(path=path) + "".join(f"{line}\r\n" for line in headers) + "\r\n").encode()


def frame(opcode, payload=b"", fin=True, masked=True):
    return header(opcode, len(payload), fin, masked) + payload


def header(opcode, length, fin=True, masked=True):
    """A frame's header. The masking key is zero, so the payload can follow as it is."""
    first, mask = opcode | (0x80 if fin else 0), 0x80 if masked else 0
    if length < 126:
        start = struct.pack("!BB", first, mask | length)
    elif length < 65536:
        start = struct.pack("!BBH", first, mask | 126, length)
    else:
        start = struct.pack("!BBQ", first, mask | 127, length)
    return start + bytes(4 if masked else 0)


def close_frame(code, reason=b""):
    return frame(CLOSE, struct.pack("!H", code) + reason)


class Peer:
    """One TCP connection. Whatever waits is bounded by the deadline of the check it belongs to."""

    def __init__(self, sock):
        self.sock = sock
        self.received = bytearray()

    @classmethod
    async def connect(cls, address, receive_buffer=None):
        """`receive_buffer` bounds what the kernel takes in for a peer that does not read."""
        for source in SOURCES:
            sock = socket.socket()
            sock.setblocking(False)
            if receive_buffer:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            try:
                if source:
                    sock.bind((source, 0))
                await asyncio.get_running_loop().sock_connect(sock, address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return cls(sock)
            except BaseException as error:
                sock.close()
                if getattr(error, "errno", None) != errno.EADDRNOTAVAIL:
                    raise
        raise Failure(NO_PORTS)

    @classmethod
    def connect_blocking(cls, address, patience=5):
        """As `connect`, but waits. The socket keeps the time limit."""
        for source in SOURCES:
            try:
                return cls(socket.create_connection(address, patience, source and (source, 0)))
            except OSError as error:
                if error.errno != errno.EADDRNOTAVAIL:
                    raise
        raise Failure(NO_PORTS)

    async def send(self, data):
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def receive(self, most=65536):
        """What has come, b"" at the end."""
        return await asyncio.get_running_loop().sock_recv(self.sock, most)

    async def upgrade(self, path):
        await self.send(head(path))
        status = await self.response()
        expect(status == 101, f"the upgrade of {path} was answered with {status}")

    async def response(self):
        """The status of an HTTP response, and None when there is none; what follows its head stays in `received`."""
        while (end := self.received.find(b"\r\n\r\n")) < 0:
            data = await self.receive()
            if not data:
                return None
            self.received += data
        status = int(self.received[:end].split()[1])
        del self.received[: end + 4]
        return status

    async def read_frame(self):
        """The next frame as (opcode, payload), None at the end."""
        while (found := self._parse()) is None:
            data = await self.receive()
            if not data:
                return None
            self.received += data
        return found

    def _parse(self):
        data = self.received
        if len(data) < 2:
            return None
        size, start = data[1] & 0x7F, 2
        if size == 126:
            size, start = int.from_bytes(data[2:4]), 4
        elif size == 127:
            size, start = int.from_bytes(data[2:10]), 10
        if len(data) < start or len(data) < start + size:
            return None
        opcode, payload = data[0] & 0x0F, bytes(data[start : start + size])
        del data[: start + size]
        return opcode, payload

    async def read_close(self):
        """Reads up to the Close frame: its code, 1005 for an empty one, None when the connection ended without."""
        while found := await self.read_frame():
            opcode, payload = found
            if opcode == CLOSE:
                return int.from_bytes(payload[:2]) if payload else 1005
        return None

    async def end(self):
        """How the connection ends: "FIN" or "RST". Throws away what still comes."""
        try:
            while await self.receive():
                pass
            return "FIN"
        except ConnectionError:
            return "RST"

    async def echoes(self, payload):
        await self.send(frame(BINARY, payload))
        while (found := await self.read_frame()) is not None:
            opcode, back = found
            if opcode == PING:
                await self.send(frame(PONG, back))
            elif opcode == BINARY:
                return back == payload
        return False

    def drain(self):
        """What has come by now and not been read, without waiting; whether the connection has ended behind it."""
        while True:
            try:
                data = self.sock.recv(65536)
            except BlockingIOError:
                return bytes(self.received), False
            except ConnectionError:
                return bytes(self.received), True
            if not data:
                return bytes(self.received), True
            self.received += data

    def reset(self):
        """Ends the connection with a RST: SO_LINGER of zero seconds."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        self.sock.close()
