"""The server under attack: one process, asked about itself over its standard input and output."""

import asyncio
import json
import os
import signal
import tempfile
from dataclasses import dataclass

from .check import KIB, MIB, Stopwatch, size
from .peer import Failure, Peer, expect

# Two states without a connection are compared: they differ by the room that collections keep, in the runtime mostly.
HEAP_TOLERANCE = 64 * KIB
# Pages that the allocator or the kernel holds back.
RSS_TOLERANCE = 2 * MIB

# Makes glibc's allocator give back what was freed. Otherwise the resident set tells what was once held: a single freed
# block in one of its caches keeps all the pages below.
ALLOCATOR = ":".join(
    f"glibc.malloc.{name}={value}"
    for name, value in [
        ("tcache_count", 0),
        ("mxfast", 0),
        ("mmap_threshold", 128 * KIB),
        ("trim_threshold", 128 * KIB),
    ]
)


@dataclass
class Stats:
    connections: int
    fds: int
    rss: int
    rss_peak: int
    heap: int
    heap_peak: int
    messages: int
    # How many connections ended how, by the words of the outcome.
    endings: dict

    def ended(self, cause):
        """How many connections ended for that cause."""
        return sum(count for ending, count in self.endings.items() if ending.startswith(cause))


class Server:
    def __init__(self, binary, settings, command=()):
        """`command` is put in front of the server's own, to run it somewhere else."""
        self.command = [*command, str(binary), *(f"{name}={value}" for name, value in settings.items())]
        self.host = "127.0.0.1"
        self.peers = []
        self.process = None

    async def start(self):
        self.errors = tempfile.TemporaryFile(mode="w+")
        pipe = asyncio.subprocess.PIPE
        environment = os.environ | {"GLIBC_TUNABLES": ALLOCATOR}
        self.process = await asyncio.create_subprocess_exec(
            *self.command, stdin=pipe, stdout=pipe, stderr=self.errors, env=environment
        )
        self.port = int(await self._line())

    async def stop(self):
        """Ends it through the end of its input, and complains when it had ended before, or panicked."""
        if self.process is None:
            return
        self.process.stdin.close()
        try:
            status = await asyncio.wait_for(self.process.wait(), 5)
        except TimeoutError:
            self.process.kill()
            status = await self.process.wait()
        expect(status == 0 and "panicked" not in self.said(), self._end(status))

    async def kill(self):
        if self.process and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    def said(self):
        self.errors.seek(0)
        return self.errors.read().strip()

    def _end(self, status):
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        return f"the server {how}: {self.said() or 'it said nothing'}"

    # ---- connecting ----

    @property
    def address(self):
        return (self.host, self.port)

    async def connect(self, receive_buffer=None):
        peer = await Peer.connect(self.address, receive_buffer)
        self.peers.append(peer)
        return peer

    async def open(self, path, receive_buffer=None):
        peer = await self.connect(receive_buffer)
        await peer.upgrade(path)
        return peer

    async def expect_service(self):
        """An honest peer is served."""
        await self._serve_some(1)

    async def _serve_some(self, count):
        peers = [await self.open("/echo") for _ in range(count)]
        for peer in peers:
            expect(await peer.echoes(bytes(1000)), "an honest peer's message did not come back")
            peer.close()

    def close_peers(self):
        for peer in self.peers:
            peer.close()

    # ---- watching ----

    async def stats(self):
        return Stats(**await self._order("stats"))

    async def warm_up(self):
        """Has everything allocated that is allocated once: buffers of the worker threads, the first of each list."""
        await self._serve_some(64)
        await self.until_connections(0, 5, "the warm-up's connections are over")
        # The runtime lets go of some things a little later.
        await asyncio.sleep(0.1)
        await self._order("forget")
        return await self.stats()

    async def until_connections(self, count, patience, what):
        """Waits until so many connections are open."""
        watch = Stopwatch()
        while (stats := await self.stats()).connections != count:
            state = f"{stats.connections} are open, not {count}; endings {stats.endings}"
            expect(watch.read() < patience, f"{what}: {patience:.1f} s later {state}")
            await asyncio.sleep(0.02)

    async def until_fds(self, count, patience, what):
        """Waits until so many file descriptors are open: that counts connections before their upgrade, too."""
        watch = Stopwatch()
        while (stats := await self.stats()).fds != count:
            expect(watch.read() < patience, f"{what}: {stats.fds} descriptors {patience} s later, not {count}")
            await asyncio.sleep(0.02)

    async def settle(self, before, patience=6):
        """Waits until all is back where it began."""
        watch = Stopwatch()
        while excess := self._excess(before, stats := await self.stats()):
            if watch.read() > patience:
                break
            await asyncio.sleep(0.1)
            if stats.connections == 0 and stats.fds == before.fds:
                # The runtime lets go of some things only when it has something to do.
                await self._serve_some(8)
        else:
            return stats
        raise Failure(f"not back where it began {patience} s later: {', '.join(excess)}; endings {stats.endings}")

    @staticmethod
    def _excess(before, now):
        excess = []
        if now.connections != 0:
            excess.append(f"{now.connections} connections")
        if now.fds != before.fds:
            excess.append(f"{now.fds - before.fds:+} file descriptors")
        if now.heap > before.heap + HEAP_TOLERANCE:
            excess.append(f"heap +{size(now.heap - before.heap)}")
        # What is counted exactly is the heap; the allocator keeps pages of which a small piece is in use.
        kept = max(RSS_TOLERANCE, (now.rss_peak - before.rss) // 4)
        if now.rss > before.rss + kept:
            excess.append(f"RSS +{size(now.rss - before.rss)}")
        return excess

    async def _order(self, order):
        self.process.stdin.write(f"{order}\n".encode())
        answer = json.loads(await self._line())
        expect("error" not in answer, f"{order}: {answer.get('error')}")
        return answer

    async def _line(self):
        try:
            line = await asyncio.wait_for(self.process.stdout.readline(), 10)
        except TimeoutError:
            raise Failure("the server does not answer its standard input") from None
        if not line:
            raise Failure(self._end(await self.process.wait()))
        return line
