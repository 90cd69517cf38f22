#!/usr/bin/env python3
"""The examples of all crates, each with Python `websockets` as its peer unless it has both ends itself.

usage: checks.py examples=DIRECTORY certificates=DIRECTORY nginx=PATH redis=PATH [checks=NAME|NAME…]

The first directory holds the built examples. Each server listens on a free port, and must end well at Ctrl-C.

One line per check: `ok<TAB>name` or `fail<TAB>name<TAB>why`.
"""

import asyncio
import contextlib
import datetime
import itertools
import json
import os
import pathlib
import re
import resource
import signal
import socket
import ssl
import sys
import tempfile
import urllib.error
import urllib.request

import msgpack
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from websockets.asyncio.client import connect, unix_connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

PATIENCE = 20
REPO = pathlib.Path(__file__).resolve().parents[3]

args = dict(arg.split("=", 1) for arg in sys.argv[1:])
checks = {}


def check(*names):
    """Registers a check for each example; the check gets the example's name."""

    def register(function):
        for name in names:
            checks[name] = function
        return function

    return register


def same(actual, expected):
    if actual != expected:
        raise AssertionError(f"got {actual!r}, expected {expected!r}")


class Program:
    """An example that runs. Its output and its errors are one list of lines."""

    @classmethod
    async def start(cls, name, *arguments, **options):
        self = cls()
        self.name, self.lines, self.ended, self.news = name, [], False, asyncio.Condition()
        pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.STDOUT}
        command = [pathlib.Path(args["examples"]) / name, *map(str, arguments)]
        self.process = await asyncio.create_subprocess_exec(*command, **pipes | options)
        self.reader = asyncio.create_task(self.read())
        return self

    async def read(self):
        while line := await self.process.stdout.readline():
            async with self.news:
                self.lines.append(line.decode().rstrip("\n"))
                self.news.notify_all()
        async with self.news:
            self.ended = True
            self.news.notify_all()

    def interrupt(self):
        """Ctrl-C, if the program runs. (`Process.send_signal` polls first: a status that it reaps is lost to the event loop.)"""
        if not self.ended:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGINT)

    def type(self, line):
        self.process.stdin.write(line.encode() + b"\n")

    async def prints(self, pattern, count=1):
        """Waits until `count` lines match; returns the match of the last."""

        def found():
            matches = list(filter(None, (re.search(pattern, line) for line in self.lines)))
            return matches[count - 1] if len(matches) >= count else None

        async with self.news:
            try:
                async with asyncio.timeout(PATIENCE):
                    await self.news.wait_for(lambda: found() or self.ended)
            except TimeoutError:
                pass
        if found() is None:
            raise AssertionError(f"{self.name} did not print /{pattern}/, but {self.lines[-20:]}")
        return found()

    async def ends(self, status=0):
        """Waits for the end of the program by itself; returns its lines."""
        async with asyncio.timeout(PATIENCE):
            await self.reader
            ended = await self.process.wait()
        if ended != status:
            raise AssertionError(f"{self.name} ended with status {ended} after {self.lines[-20:]}")
        return self.lines

    async def stop(self):
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self.reader


@contextlib.asynccontextmanager
async def running(name, *arguments, **options):
    program = await Program.start(name, *arguments, **options)
    try:
        yield program
    finally:
        await program.stop()


@contextlib.asynccontextmanager
async def serving(name, *arguments, **options):
    """Runs an example that is a server, whose `url` says where. At the end Ctrl-C must end it well."""
    async with running(name, "127.0.0.1:0", *arguments, **options) as program:
        program.port = int((await program.prints(r"^(?:Listening at|Open) (?:http|ws)s?://[\w.]+:(\d+)"))[1])
        program.url = f"ws://127.0.0.1:{program.port}"
        yield program
        program.interrupt()
        await program.ends()


@contextlib.asynccontextmanager
async def listening(handler, **options):
    """A server of `websockets`, for the examples that are clients; its URL, and the close codes that it has seen."""
    codes = asyncio.Queue()

    async def handle(ws):
        try:
            await handler(ws)
        except ConnectionClosed:
            pass
        await ws.wait_closed()
        codes.put_nowait(ws.close_code)

    async with serve(handle, "127.0.0.1", 0, **options) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"{'wss' if 'ssl' in options else 'ws'}://127.0.0.1:{port}", codes


def dial(url, **options):
    return connect(url, proxy=None, **options)


async def closed(ws):
    """Waits for the end of a connection; returns its close code."""
    async with asyncio.timeout(PATIENCE):
        await ws.wait_closed()
    return ws.close_code


async def greets(server, url, **options):
    async with dial(url, **options) as ws:
        await ws.send("Wörld")
        same(await ws.recv(), "Hello Wörld!")
        same(await closed(ws), 1000)
    await server.prints("^< Wörld$")
    await server.prints("^> Hello Wörld!$")


@check("hello_server", "async_std_hello_server")
async def hello_server(name):
    async with serving(name) as server:
        await greets(server, server.url)
        await greets(server, server.url)


async def greeting(ws):
    await ws.send(f"Hello {await ws.recv()}!")


async def is_greeted(name, *arguments, codes):
    async with running(name, *arguments) as client:
        client.type("Wörld")
        same(await client.ends(), ["What's your name? > Wörld", "< Hello Wörld!"])
    same(await codes.get(), 1000)


@check("hello_client", "async_std_hello_client")
async def hello_client(name):
    async with listening(greeting) as (url, codes):
        await is_greeted(name, url, codes=codes)


@check("hello_server_tls")
async def hello_server_tls(name):
    with tempfile.TemporaryDirectory() as folder:
        certificate = pathlib.Path(folder) / "made.pem"
        async with serving(name, certificate) as server:
            trust = ssl.create_default_context(cafile=certificate)
            for host in ("localhost", "127.0.0.1"):
                await greets(server, f"wss://{host}:{server.port}", ssl=trust)
            try:
                async with dial(f"wss://localhost:{server.port}", ssl=ssl.create_default_context()):
                    raise AssertionError("trusted without the file")
            except ssl.SSLCertVerificationError:
                pass
            # Our own client, with the same file.
            async with running("hello_client_tls", f"wss://localhost:{server.port}", certificate) as client:
                client.type("both")
                same((await client.ends())[-1], "< Hello both!")


@check("tls_reload")
async def tls_reload(name):
    with tempfile.TemporaryDirectory() as folder:
        files = [pathlib.Path(folder) / file for file in ("cert.pem", "key.pem")]
        others = [pathlib.Path(folder) / file for file in ("other.pem", "other.key")]
        async with serving(name, *files) as server:
            url = f"wss://localhost:{server.port}"
            trust = [ssl.create_default_context(cafile=files[0])]
            async with serving(name, *others), dial(url, ssl=trust[0]) as ws:
                trust.append(ssl.create_default_context(cafile=others[0]))
                # A file that is half written, and then both.
                files[0].write_bytes(others[0].read_bytes()[:200])
                os.kill(server.process.pid, signal.SIGHUP)
                await server.prints(f"^The old certificate stays in use: {re.escape(str(files[0]))}: ")
                async with dial(url, ssl=trust[0]):
                    pass
                for file, other in zip(files, others):
                    file.write_bytes(other.read_bytes())
                os.kill(server.process.pid, signal.SIGHUP)
                await server.prints("^The certificate was renewed.$")
                async with dial(url, ssl=trust[1]):
                    pass
                try:
                    async with dial(url, ssl=trust[0]):
                        raise AssertionError("the old certificate is still in use")
                except ssl.SSLCertVerificationError:
                    pass
                await ws.send("still open")
                same(await ws.recv(), "still open")


@check("hello_client_tls")
async def hello_client_tls(name):
    certificates = pathlib.Path(args["certificates"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    async with listening(greeting, ssl=context) as (url, codes):
        await is_greeted(name, url, certificates / "ca.pem", codes=codes)
        async with running(name, url, certificates / "client.pem", env={}) as client:
            client.type("nobody")
            await client.prints("^(What's your name\\? )?Error: .*certificate")
            await client.ends(1)


@check("time_push")
async def time_push(name):
    async with serving(name) as server:
        async with dial(server.url) as ws:
            times = [await ws.recv() for _ in range(3)]
            for time in times:
                assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time), time
            same(times, sorted(set(times)))


@check("counter")
async def counter(name):
    async with serving(name) as server, dial(server.url) as one:

        async def hears(ws, **event):
            same(json.loads(await ws.recv()), event)

        await hears(one, type="users", count=1)
        await hears(one, type="value", value=0)
        async with dial(server.url) as two:
            await hears(one, type="users", count=2)
            await hears(two, type="users", count=2)
            await hears(two, type="value", value=0)
            for sender, action, value in [(one, "plus", 1), (two, "plus", 2), (one, "minus", 1)]:
                await sender.send(json.dumps({"action": action}))
                for ws in (one, two):
                    await hears(ws, type="value", value=value)
            for bad in ["plus", '{"action":"times"}', "[1]", b"\xff"]:
                await two.send(bad)
                same(json.loads(await two.recv())["type"], "error")
        await hears(one, type="users", count=1)


@check("echo_server", "async_std_echo_server")
async def echo_server(name):
    async with serving(name) as server:
        async with dial(server.url) as ws:
            for message in ["", "Grüße", b"\x00\xff", "x" * 100_000]:
                await ws.send(message)
                same(await ws.recv(), message)
        async with dial(server.url) as ws:
            await ws.send("open")
            same(await ws.recv(), "open")
            server.interrupt()
            same(await closed(ws), 1001)


async def echo(ws):
    async for message in ws:
        await ws.send(message)


@check("echo_client", "async_std_echo_client")
async def echo_client(name):
    async with listening(echo) as (url, codes):
        async with running(name, url) as client:
            lines = await client.ends()
            assert "Hello" in lines[0] and "closed by us; received 1000" in lines[-1], lines
        same(await codes.get(), 1000)


@check("chat_json")
async def chat_json(name):
    async with serving(name) as server, dial(server.url) as one, dial(server.url) as two:
        peer, other = (":".join(map(str, ws.local_address)) for ws in (one, two))
        await server.prints(f"^{peer} connected$")
        lost = await connect(server.url, proxy=None)
        await server.prints(" connected$", 3)
        lost_peer = ":".join(map(str, lost.local_address))
        for content in ["Grüße", {"a": [1, None]}, "", 7]:
            message = {"type": "broadcast", "content": content}
            await one.send(json.dumps(message))
            for ws in (two, lost):
                same(json.loads(await ws.recv()), message)
        # The sender has got none of them: the answer to its next message comes first.
        for odd in ['{"type":"other"}', '{"type":"broadcast"}', "[1]", '"broadcast"']:
            await one.send(odd)
            same(json.loads(await one.recv()), {"type": "answer", "content": f"received: {odd}"})
        await one.send("Hello")
        same(json.loads(await one.recv()), {"type": "error", "content": "not JSON: Hello"})

        lost.transport.abort()
        await server.prints(f"^{lost_peer} ended abnormally: ")
        await server.prints(f"^{lost_peer} removed, 2 left$")
        await two.close()
        await server.prints(f"^{other} closed normally: closed by the peer")
        await server.prints(f"^{other} removed, 1 left$")
        await one.send(json.dumps({"type": "broadcast", "content": "nobody is left"}))
        await one.close(1011)
        await server.prints(f"^{peer} ended abnormally: .*1011")
        await server.prints(f"^{peer} removed, 0 left$")


@check("chat_timestamps")
async def chat_timestamps(name):
    async with serving(name, env={"TZ": "UTC"}) as server, dial(server.url) as one, dial(server.url) as two:
        # A client that hears itself is in the chat.
        for ws in (one, two):
            await ws.send("in")
            await ws.recv()
        await two.send("both are in")
        for ws in (one, two):
            while not (await ws.recv()).endswith("both are in"):
                pass
        for text in ["Hi", "Grüße"]:
            await one.send(text)
            lines = [await ws.recv() for ws in (one, two)]
            same(lines[0], lines[1])
            time, said = re.fullmatch(r"\[(\d\d:\d\d:\d\d)\] (.*)", lines[0]).groups()
            same(said, text)
            now = datetime.datetime.now(datetime.timezone.utc)
            assert (now - datetime.timedelta(seconds=60)).strftime("%T") <= time <= now.strftime("%T") or now.hour == 0, time


@check("chat_client")
async def chat_client(name):
    heard = asyncio.Queue()

    async def chat(ws):
        await ws.send("Welcome")
        async for message in ws:
            heard.put_nowait(message)
            await ws.send(f"you said {message}")
            if message == "bye":
                await ws.close(1000, "bye")

    async with listening(chat) as (url, codes):
        async with running(name, url) as client:
            # Received while nobody types.
            await client.prints("^< Welcome$")
            for line in ["Grüße", "exited"]:
                client.type(line)
                same(await heard.get(), line)
                await client.prints(f"^< you said {line}$")
            client.type("exit")
            await client.ends()
        same(await codes.get(), 1000)
        async with running(name, url) as client:
            await client.prints("^< Welcome$")
            client.process.stdin.close()
            await client.ends()
        same(await codes.get(), 1000)
        async with running(name, url) as client:
            await client.prints("^< Welcome$")
            client.interrupt()
            await client.ends()
        same(await codes.get(), 1000)
        # The server closes while the client waits for a line.
        async with running(name, url) as client:
            client.type("bye")
            await client.prints("^< you said bye$")
            await client.prints("^The server has left: .*1000")
            await client.ends()


@check("patterns")
async def patterns(name):
    async with serving(name) as server:
        async with dial(server.url + "/consumer") as ws:
            for number in range(3):
                await ws.send(f"piece {number}")
            await server.prints("^consumed piece 2$")
        products = [f"product {number}" for number in range(1, 6)]
        async with dial(server.url + "/producer") as ws:
            await ws.send("discarded")
            same([message async for message in ws], products)
            same(ws.close_code, 1000)
        # The producer ends the consumer, which would wait for ever.
        async with dial(server.url + "/both") as ws:
            await ws.send("meanwhile")
            same([message async for message in ws], products)
        await server.prints("^consumed meanwhile$")
        await server.prints("^the producer has finished first$")
        # The consumer ends the producer, which would go on.
        async with dial(server.url + "/both") as ws:
            same(await ws.recv(), products[0])
        await server.prints("^the consumer has finished first$")
        async with dial(server.url + "/registration") as one:
            same(await one.recv(), "1 registered")
            async with dial(server.url + "/registration") as two:
                same([await ws.recv() for ws in (one, two)], ["2 registered"] * 2)
            await server.prints("^unregistered, 1 left: closed by the peer")
            async with dial(server.url + "/registration") as three:
                same([await ws.recv() for ws in (one, three)], ["2 registered"] * 2)
        await server.prints("^unregistered, 0 left: closed by the peer")
        async with dial(server.url + "/elsewhere") as ws:
            same(await closed(ws), 1008)


@check("handler_arguments")
async def handler_arguments(name):
    async with serving(name, "Grüß Gott") as server:
        for visit in (1, 2):
            async with dial(server.url) as ws:
                same(await ws.recv(), f"Grüß Gott, visitor {visit} of version 2")
                same(await closed(ws), 1000)


# A client that another process stops: its system answers, and nobody reads.
SILENT = """
import asyncio, sys
from websockets.asyncio.client import connect

async def main():
    async with connect(sys.argv[1], proxy=None, ping_interval=None) as ws:
        print(ws.local_address[1], flush=True)
        await ws.recv()

asyncio.run(main())
"""


@check("keepalive")
async def keepalive(name):
    async with serving(name, 1) as server, dial(server.url, ping_interval=None) as alive:
        command = [sys.executable, "-c", SILENT, server.url]
        dead = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        try:
            port = int(await dead.stdout.readline())
            await server.prints(f"^127.0.0.1:{port} connected, 2 open$")
            dead.send_signal(signal.SIGSTOP)
            await server.prints(f"^127.0.0.1:{port} is dead: no pong in time; removed, 1 open$")
        finally:
            dead.kill()
            await dead.wait()
        # The other one answers its pings.
        await alive.send("How long?")
        assert re.fullmatch(r"latency: Some\([\d.]+(ns|µs|ms)\)", answer := await alive.recv()), answer
        await alive.close()
        await server.prints(" has left; removed, 0 open$")


@check("origin_check")
async def origin_check(name):
    async with serving(name, "https://one.example", "https://two.example:8443") as server:
        for origin in ("https://one.example", "https://two.example:8443"):
            async with dial(server.url, origin=origin) as ws:
                same(await ws.recv(), f"Welcome from {origin}")
        for origin in ("http://one.example", "https://one.example:8443", "https://one.example.org", "null", None):
            try:
                async with dial(server.url, origin=origin):
                    raise AssertionError(f"{origin} was accepted")
            except InvalidStatus as refusal:
                same(refusal.response.status_code, 403)


def protobuf_types():
    """The messages Task and Answer, without generated code."""
    file = descriptor_pb2.FileDescriptorProto(name="tasks.proto", syntax="proto3")
    for name in ("Task", "Answer"):
        kind = descriptor_pb2.FieldDescriptorProto
        fields = [kind(name="number", number=1, type=kind.TYPE_UINT64, label=kind.LABEL_OPTIONAL)]
        if name == "Answer":
            fields.append(kind(name="factors", number=2, type=kind.TYPE_UINT64, label=kind.LABEL_REPEATED))
        file.message_type.add(name=name, field=fields)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return [message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for name in ("Task", "Answer")]


# The largest prime number below 10^17: hundreds of millions of divisions.
LONG = 10**17 - 3


@check("typed_messages")
async def typed_messages(name):
    task, answer = protobuf_types()

    def from_protobuf(data):
        message = answer.FromString(data)
        return {"number": message.number, "factors": list(message.factors)}

    formats = {
        "json": (json.dumps, json.loads, str),
        "msgpack": (msgpack.packb, msgpack.unpackb, bytes),
        "protobuf": (lambda message: task(**message).SerializeToString(), from_protobuf, bytes),
        None: (json.dumps, json.loads, str),
    }
    async with serving(name) as server:
        for subprotocol, (encode, decode, kind) in formats.items():
            async with dial(server.url, subprotocols=subprotocol and [subprotocol]) as ws:
                same(ws.subprotocol, subprotocol)
                for number, factors in [(60, [2, 2, 3, 5]), (2**63, [2] * 63), (97, [97]), (1, []), (0, [])]:
                    await ws.send(encode({"number": number}))
                    received = await ws.recv()
                    same(type(received), kind)
                    same(decode(received), {"number": number, "factors": factors})
                await ws.send(b"\xc1\xff")
                same(await closed(ws), 1007)
        await server.prints("^not a task: ", len(formats))
        # A ping is answered while the work goes on.
        async with dial(server.url) as ws:
            await ws.send(json.dumps({"number": LONG}))
            answered = asyncio.create_task(ws.recv())
            await (await ws.ping())
            same(answered.done(), False)
            same(json.loads(await answered), {"number": LONG, "factors": [LONG]})


@check("logging")
async def logging(name):
    async def log(level):
        async with serving(name, level, env={"NO_COLOR": "1"}) as server:
            async with dial(server.url, compression=None) as ws:
                await ws.send("Grüße")
                same(await ws.recv(), "Grüße")
            async with dial(server.url) as ws:
                await ws.send("fail")
                same(await closed(ws), 1011)
            # In the connection's span, if the level lets that through.
            span = "" if level == "error" else r"websocket\{id=\d+ .*\}: "
            await server.prints(f"ERROR {span}ws_tokio: connection handler failed: the client asked for a failure")
        return server.lines[1:]

    def has(lines, pattern):
        return any(re.search(pattern, line) for line in lines)

    lines = await log("error")
    same(len(lines), 1)
    lines = await log("info")
    for pattern in ["INFO logging: an event", r"INFO .*ws_tokio: connection open", r"INFO .*ws_tokio: connection closed"]:
        assert has(lines, pattern), f"{pattern} is not in {lines}"
    same(has(lines, "DEBUG"), False)
    lines = await log("debug")
    for pattern in [r"DEBUG .*ws_tokio: < GET / HTTP/1\.1", r"DEBUG .*< .*text.*'Grüße'", r"DEBUG .*> .*close.*1011"]:
        assert has(lines, f"(?i){pattern}"), f"{pattern} is not in {lines}"
    async with running(name, "127.0.0.1:0", "loud") as program:
        await program.prints("^Error: .*loud is not a level")
        await program.ends(1)


@check("many_clients")
async def many_clients(name):
    count = 5000
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count + 200:
        raise AssertionError(f"needs {count + 200} file descriptors, and the limit is {hard}: see `ulimit -Hn`")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    options = {"compression": None, "ping_interval": None, "open_timeout": 60}
    async with listening(echo, **options) as (url, codes):
        async with running(name, url, count) as clients:
            async with asyncio.timeout(80):
                await clients.reader
            lines = await clients.ends()
            assert lines[0].startswith(f"{count} connections are open after "), lines
            assert lines[1].startswith(f"{count} messages came back, and all connections are closed, "), lines
        same([await codes.get() for _ in range(count)], [1000] * count)
        async with running(name, url, 300, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))) as clients:
            await clients.prints("^Error: \"?after \\d+ connections: .*[Tt]oo many open files")
            await clients.ends(1)


@check("ticker")
async def ticker(name):
    async with serving(name) as server, dial(server.url) as one, dial(server.url) as other:
        await server.prints(r"to 2 clients, 0 of them too slow")
        prices = [await one.recv() for _ in range(3)]
        received = [await other.recv() for _ in range(3)]
        # One of them may have connected a price earlier.
        if not set(prices) & set(received) or not all(re.fullmatch(r"\d+\.\d\d", price) for price in prices + received):
            raise AssertionError(f"{prices} and {received}")


TOKEN = "token-of-ann"


@check("auth_token")
async def auth_token(name):
    async with running(name, "127.0.0.1") as server:

        async def url(way):
            return (await server.prints(f"^{way}: Listening at (ws://[\\d.:]+/)$"))[1]

        async def is_refused(status, url, **options):
            try:
                async with dial(url, **options):
                    raise AssertionError(f"{url} {options} was accepted")
            except InvalidStatus as refusal:
                same(refusal.response.status_code, status)

        async def is_greeted(url, **options):
            async with dial(url, **options) as ws:
                same(await ws.recv(), "Hello ann!")
                same(await closed(ws), 1000)

        query = await url("query")
        await is_greeted(f"{query}?token={TOKEN}")
        for bad in ("", "?token=guess", "?token=", "?Token=" + TOKEN):
            await is_refused(401, query + bad)
        header = await url("header")
        await is_greeted(header, additional_headers={"Authorization": f"Bearer {TOKEN}"})
        for bad in ({}, {"Authorization": "Bearer guess"}, {"Authorization": f"Basic {TOKEN}"}):
            await is_refused(401, header, additional_headers=bad)
        cookie, cookies = await url("cookie"), {"Cookie": f"a=b; token={TOKEN}"}
        await is_greeted(cookie, additional_headers=cookies, origin="https://example.com")
        await is_refused(403, cookie, additional_headers=cookies, origin="https://elsewhere.example")
        await is_refused(403, cookie, additional_headers=cookies)
        await is_refused(401, cookie, additional_headers={"Cookie": "token=guess"}, origin="https://example.com")
        message = await url("first message")
        async with dial(message) as ws:
            await ws.send(TOKEN)
            same(await ws.recv(), "Hello ann!")
            same(await closed(ws), 1000)
        for bad in ("guess", b"token-of-ann"):
            async with dial(message) as ws:
                await ws.send(bad)
                same((await closed(ws), ws.close_reason), (1008, "the token is not valid"))
        async with dial(message) as ws:
            same((await closed(ws), ws.close_reason), (1008, "no token in time"))
        server.interrupt()
        await server.ends()


@check("reconnecting_client", "async_std_reconnecting_client")
async def reconnecting_client(name):
    visits = []

    async def feed(ws):
        visits.append(await ws.recv())
        await ws.send(f"price {len(visits)}")
        match len(visits):
            case 1:
                await ws.close(1000)
            case 2:
                ws.transport.abort()
            case 3:
                await ws.close(1012, "restart")
            case _:
                await ws.send("enough")

    def busy(connection, _request):
        # Refused for a moment, between the first connection and the second.
        if len(visits) == 1 and not busy.refused:
            busy.refused = True
            return connection.respond(503, "not yet\n")

    busy.refused = False
    async with listening(feed, process_request=busy) as (url, codes):
        async with running(name, url) as client:
            await client.prints("^the server has closed the connection$")
            await client.prints("^attempt \\d+: .*503.*; the next in ")
            await client.prints("^the last message was .*enough")
            await client.ends()
        same(visits, ["subscribe"] * 4)
        same([await codes.get() for _ in range(4)], [1000, 1006, 1012, 1000])
    async with running(name, "ws://127.0.0.1:1") as client:
        await client.prints("^attempt 1: .*refused.*; the next in ")


@check("stream_file")
async def stream_file(name):
    size = 30_000_001

    async def count(ws):
        await ws.send(str(len(await ws.recv())))
        await ws.wait_closed()

    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(size))
        file.flush()
        async with running(name, file.name) as program:
            await program.prints(f"^{size} bytes in ")
            await program.ends()
        async with listening(count, max_size=None) as (url, codes):
            async with running(name, file.name, url) as program:
                await program.prints(f"^{size} bytes in ")
                await program.ends()
            same(await codes.get(), 1000)
    async with running(name, "receive", "127.0.0.1:0") as server:
        port = (await server.prints(r"^Listening at ws://127.0.0.1:(\d+);"))[1]
        async with dial(f"ws://127.0.0.1:{port}") as ws:
            # Fragments of an iterator, and one long frame.
            await ws.send(bytes(1_000_000) for _ in range(30))
            same(await ws.recv(), "30000000")
            await ws.send("é" * 5_000_000)
            same(await ws.recv(), "10000000")
            server.interrupt()
            same(await closed(ws), 1001)
        await server.ends()


def nginx_configuration():
    """What the example's first lines say."""
    lines = (REPO / "ws-tokio/examples/behind_nginx.rs").read_text().splitlines()
    begin, end = lines.index("//! ```nginx"), lines.index("//! ```")
    return "\n".join(line.removeprefix("//!").removeprefix(" ") for line in lines[begin + 1 : end])


@check("unix_socket", "async_std_unix_socket")
async def unix_socket(name):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "server.sock"
        # One that a server has left there.
        with socket.socket(socket.AF_UNIX) as old:
            old.bind(str(path))
        async with running(name, path) as server:
            await server.prints(f"^Listening at {path}; ")
            same(path.stat().st_mode & 0o777, 0o660)
            async with unix_connect(str(path), "ws://localhost/") as ws:
                await ws.send("Grüße")
                same(await ws.recv(), "Grüße")
            async with running(name, "client", path) as client:
                await client.prints("^< Hello$")
                await client.ends()
            claim = {"X-Forwarded-For": "203.0.113.9"}
            async with unix_connect(str(path), "ws://localhost/", additional_headers=claim):
                await server.prints(r"^a client has connected: Some\(203.0.113.9\)$")
            async with running(name, path) as second:
                await second.prints("a server answers there")
                await second.ends(1)
            server.interrupt()
            await server.ends()
        same(path.exists(), False)


@check("workers")
async def workers(name):
    async with serving(name, 3) as server:
        threads = set()
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(40):
                ws = await stack.enter_async_context(dial(server.url))
                threads.add(await ws.recv())
                await ws.send("Grüße")
                same(await ws.recv(), "Grüße")
            assert 1 < len(threads) <= 3 and all(thread.startswith("ws-worker-") for thread in threads), threads
            server.interrupt()
            await server.prints("^40 connections on all threads$")
            same(await closed(ws), 1001)


@check("behind_nginx")
async def behind_nginx(name):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with serving(name) as server:
        with tempfile.TemporaryDirectory() as folder:
            folders = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
            config = nginx_configuration()
            for old, new in [
                ("http {", f"http {{ access_log off; client_body_temp_path {folder}/body; {folders}"),
                ("listen 8080", f"listen 127.0.0.1:{port}"),
                ("127.0.0.1:8765", f"127.0.0.1:{server.port}"),
            ]:
                assert old in config, f"{old} is not in the configuration"
                config = config.replace(old, new)
            file = pathlib.Path(folder) / "nginx.conf"
            file.write_text(config)
            command = [args["nginx"], "-p", folder, "-e", "stderr", "-g", f"daemon off; pid {folder}/pid;", "-c", file]
            nginx = await asyncio.create_subprocess_exec(*command)
            try:
                # Another address than that of nginx, which the server trusts.
                client = "127.0.0.7"
                for attempt in itertools.count():
                    try:
                        ws = await dial(f"ws://127.0.0.1:{port}", local_addr=(client, 0))
                        break
                    except ConnectionRefusedError:
                        assert attempt < 100 and nginx.returncode is None, "nginx did not start"
                        await asyncio.sleep(0.1)
                same(await ws.recv(), f"You are {client}.")
                await server.prints(f"^{client} has connected through 127.0.0.1$")
                await ws.send("Grüße")
                same(await ws.recv(), "Grüße")
                await ws.close()
                same(ws.close_code, 1000)
                claim = {"X-Forwarded-For": "203.0.113.66"}
                async with dial(f"ws://127.0.0.1:{port}", local_addr=(client, 0), additional_headers=claim) as ws:
                    same(await ws.recv(), f"You are {client}.")
            finally:
                nginx.terminate()
                await nginx.wait()


@check("broadcast")
async def broadcast(name):
    async with serving(name) as server, dial(server.url) as one:
        assert (came := await one.recv()).endswith(" came in"), came
        async with dial(server.url) as two:
            same(await one.recv(), await two.recv())
            await two.send("Grüße")
            for ws in (one, two):
                assert (said := await ws.recv()).endswith(": Grüße"), said
        assert (left := await one.recv()).endswith(" left"), left
        await one.send(b"bytes")
        same(await closed(one), 1003)


async def lines(ws, count):
    return [(await ws.recv()).split(" ", 1) for _ in range(count)]


@check("chat_many_instances")
async def chat_many_instances(name):
    async with serving(name, "127.0.0.1:0") as server:
        other = f"ws://127.0.0.1:{(await server.prints(r'^Listening at ws://[0-9.]+:([0-9]+)', 2))[1]}"
        async with dial(server.url) as one, dial(other) as two:
            for ws, said in ((one, "Grüße"), (two, "and back"), (one, "bye")):
                await ws.send(said)
                # The same lines in the same order, with the same positions.
                (line,) = await lines(one, 1)
                same([line], await lines(two, 1))
                same(line[1], said)
        first, last = line[0].replace(":3", ":1").split(":")[0] + ":1", line[0]
        async with dial(f"{other}?since={first}") as ws:
            same([said for _, said in await lines(ws, 2)], ["and back", "bye"])
        async with dial(f"{server.url}?since={last}") as ws, dial(other) as late:
            same([said for _, said in await lines(late, 3)], ["Grüße", "and back", "bye"])
            await late.send("after")
            same((await lines(ws, 1))[0][1], "after")
            same((await lines(late, 1))[0][1], "after")
        async with dial(f"{server.url}?since=00c0ffee00c0ffee:1") as ws:
            refused = await ws.recv()
            assert refused.startswith("(not everything since then can be had: "), refused
            same([said for _, said in await lines(ws, 4)], ["Grüße", "and back", "bye", "after"])
    # Two processes, and a broker between them. One is killed.
    async with redis() as broker, serving(name, env=broker.environment) as survivor:
        async with running(name, "127.0.0.1:0", env=broker.environment) as victim:
            port = (await victim.prints(r"^Listening at ws://[0-9.]+:([0-9]+)"))[1]
            async with dial(f"ws://127.0.0.1:{port}") as one, dial(survivor.url) as two:
                await two.send("from the other process")
                (seen,) = await lines(one, 1)
                same([seen], await lines(two, 1))
                await victim.stop()
                for n in range(3):
                    await two.send(f"meanwhile {n}")
        async with dial(f"{survivor.url}?since={seen[0]}") as again:
            same([said for _, said in await lines(again, 3)], [f"meanwhile {n}" for n in range(3)])




class Redis:
    """A broker to kill. What it has accepted is there when it starts again."""

    def __init__(self, folder):
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.environment = os.environ | {"BACKPLANE": f"redis://127.0.0.1:{self.port}"}

    async def start(self):
        options = f"--port {self.port} --bind 127.0.0.1 --dir {self.folder} --appendonly yes --appendfsync always".split()
        pipes = {"stdout": asyncio.subprocess.DEVNULL, "stderr": asyncio.subprocess.DEVNULL}
        self.process = await asyncio.create_subprocess_exec(args["redis"], *options, **pipes)
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    (await asyncio.open_connection("127.0.0.1", self.port))[1].close()
                    return
                except OSError:
                    await asyncio.sleep(0.05)

    async def kill(self):
        self.process.kill()
        await self.process.wait()


@contextlib.asynccontextmanager
async def redis():
    with tempfile.TemporaryDirectory() as folder:
        broker = Redis(folder)
        await broker.start()
        try:
            yield broker
        finally:
            if broker.process.returncode is None:
                await broker.kill()


@check("async_std_hub")
async def async_std_hub(name):
    async with serving(name) as server:
        async with dial(server.url) as one, dial(server.url) as two:
            await one.send("Grüße")
            (line,) = await lines(one, 1)
            same([line], await lines(two, 1))
            await two.send("bye")
            same((await lines(one, 1))[0][1], "bye")
        async with dial(f"{server.url}?since={line[0]}") as ws:
            same((await lines(ws, 1))[0][1], "bye")


@check("presence")
async def presence(name):
    async with serving(name) as server:
        async with dial(f"{server.url}?id=1&name=Ada") as ada:
            same(await ada.recv(), "here: Ada")
            async with dial(f"{server.url}?id=2&name=Gr%C3%A4ce") as other:
                same(await other.recv(), "here: Ada, Gräce")
                same(await ada.recv(), "+ Gräce")
                # Another connection of the same member.
                async with dial(f"{server.url}?id=2&name=Gr%C3%A4ce") as again:
                    same(await again.recv(), "here: Ada, Gräce")
            # A reload: a new connection within the three seconds.
            async with dial(f"{server.url}?id=2&name=Gr%C3%A4ce") as other:
                same(await other.recv(), "here: Ada, Gräce")
            left = asyncio.get_running_loop().time()
            same(await ada.recv(), "- Gräce")
            assert (after := asyncio.get_running_loop().time() - left) > 2.5, after
        async with dial(server.url) as ws:
            same(await closed(ws), 1008)


@check("price_feed")
async def price_feed(name):
    async with serving(name, 1) as server:
        # A small buffer, so that little waits outside of the server.
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", server.port))
        slow.setblocking(False)
        options = {"compression": None, "max_queue": 1, "ping_interval": None}
        async with dial(server.url, sock=slow, **options) as ws, dial(server.url, **options) as fast:
            behind = json.loads(await ws.recv())["tick"]
            # More than the 3 MB that the system holds for it, of 250 bytes for each price.
            newest = 0
            while newest < behind + 5000:
                newest = json.loads(await fast.recv())["tick"]
            seen, jumps = {}, 0
            while min(seen.values(), default=0) < newest or len(seen) < 5:
                price = json.loads(await ws.recv())
                last, seen[price["metal"]] = seen.get(price["metal"], 0), price["tick"]
                assert price["tick"] > last, f"{price} after {last}"
                jumps += last > 0 and price["tick"] > last + 1
            assert jumps > 0, "it got every price, as if it had been fast"


@check("recover")
async def recover(name):
    async with serving(name) as server:
        async with dial(server.url) as ws:
            (_, first), (position, second) = await lines(ws, 2)
            same(int(second), int(first) + 1)
        # Killed, and gone for three more.
        await server.prints(f"^{int(second) + 3}: accepted$")
        async with dial(f"{server.url}?since={position}") as ws:
            numbers, recovered = [], None
            while len(numbers) < 6:
                word, rest = (await ws.recv()).split(" ", 1)
                if word == "recovered:":
                    recovered = (int(rest), len(numbers))
                else:
                    numbers.append(int(rest))
            same(numbers, list(range(int(second) + 1, int(second) + 7)))
            assert recovered and recovered[0] == recovered[1] >= 3, recovered
        async with dial(f"{server.url}?since={position.split(':')[0]}:99999") as ws:
            word, reason = (await ws.recv()).split(" ", 1)
            same((word, reason), ("unrecoverable:", "the topic has no publication at that offset"))
    # The broker is killed.
    async with redis() as broker, serving(name, env=broker.environment) as server, dial(server.url) as ws:
        numbers = [int(number) for _, number in await lines(ws, 3)]
        await broker.kill()
        await server.prints("^[0-9]+: not published, because the broker cannot be reached")
        await broker.start()
        last = numbers[-1]
        while numbers[-1] < last + 5:
            word, rest = (await ws.recv()).split(" ", 1)
            # To those at this instance only, and again later.
            if word != "local":
                numbers.append(int(rest))
        same(numbers, list(range(numbers[0], numbers[-1] + 1)))


@check("request_hook")
async def request_hook(name):
    async with serving(name) as server:

        def get(path):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=PATIENCE) as response:
                    return response.status
            except urllib.error.HTTPError as refusal:
                return refusal.code

        for path, status in [("/", 200), ("/health", 200), ("/feed", 401), ("/elsewhere", 404)]:
            same((path, await asyncio.to_thread(get, path)), (path, status))
        async with dial(server.url + "/feed?token=let-me-in") as ws:
            same(await ws.recv(), "here for 0 s")
            server.interrupt()
            same(await closed(ws), 1001)


@check("static_folder")
async def static_folder(name):
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "index.html").write_text("<title>A page</title>")
        async with serving(name, folder) as server:

            def get(path):
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=PATIENCE) as response:
                        return response.status, response.headers["content-type"], response.read()
                except urllib.error.HTTPError as refusal:
                    return refusal.code, None, None

            page = (200, "text/html", b"<title>A page</title>")
            same(await asyncio.to_thread(get, "/"), page)
            same(await asyncio.to_thread(get, "/index.html"), page)
            same((await asyncio.to_thread(get, "/../etc/passwd"))[0], 404)
            async with dial(server.url + "/echo") as ws:
                await ws.send("Hello")
                same(await ws.recv(), "Hello")


@check("prometheus")
async def prometheus(name):
    async with serving(name) as server:

        def scrape():
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=PATIENCE) as page:
                assert page.headers["content-type"].startswith("text/plain; version=0.0.4"), page.headers
                lines = page.read().decode().splitlines()
            return {key: float(value) for key, value in (line.rsplit(" ", 1) for line in lines if line and line[0] != "#")}

        async with dial(server.url) as ws:
            for n in range(3):
                await ws.send(f"message {n}")
                await ws.recv()
            page = await asyncio.to_thread(scrape)
            same(page["websocket_server_connections_active"], 1)
            same(page['websocket_server_messages_total{network_io_direction="receive"}'], 3)
            same(page['websocket_server_payload_io_bytes_total{network_io_direction="transmit"}'], 27)
        for _ in range(100):
            page = await asyncio.to_thread(scrape)
            if page["websocket_server_connections_active"] == 0:
                break
            await asyncio.sleep(0.05)
        same(page['websocket_server_connections_closed_total{websocket_closed_by="peer",websocket_close_code="1000"}'], 1)
        answered = page['websocket_server_requests_answered_total{http_response_status_code="200"}']
        assert answered >= 1, page


@check("graceful_shutdown", "async_std_graceful_shutdown")
async def graceful_shutdown(name):
    async with serving(name) as server, dial(server.url) as ws:
        await ws.send("twelve bytes")
        await (await ws.ping())
        if name == "graceful_shutdown":
            server.interrupt()
        else:
            server.type("")
        same(await closed(ws), 1001)
        await server.prints("^12 bytes from Some\\(127.0.0.1:")
        await server.prints("^Stopped.$")
        await server.reader


@check("any_stream", "smol_any_stream")
async def any_stream(name):
    async with running(name) as program:
        same(set(await program.ends()), {'Some(Text("Hello"))'})


@check("hyper_app", "own_http", "reqwest_client", "smol", "stream", "threads", "tower", "tunnel")
async def both_ends(name):
    """An example that has both ends, asserts what it shows, and ends."""
    async with running(name) as program:
        await program.ends()


@check("axum_app")
async def axum_app(name):
    async with running(name) as program:
        await program.ends()
    async with running(name, "127.0.0.1:0") as server:
        address = (await server.prints(r"^http://(127\.0\.0\.1:\d+)$"))[1]
        origin, url = f"http://{address}", f"ws://{address}/chat"

        def get(path):
            with urllib.request.urlopen(origin + path, timeout=PATIENCE) as response:
                return response.read().decode()

        assert "<title>Chat</title>" in await asyncio.to_thread(get, "/")
        async with dial(url) as one, dial(url, origin=origin) as two:
            while json.loads(await asyncio.to_thread(get, "/api/status")) != {"members": 2}:
                await asyncio.sleep(0.05)
            await one.send("Grüße")
            same([await ws.recv() for ws in (one, two)], ["Grüße"] * 2)
            try:
                async with dial(url, origin="http://elsewhere.example"):
                    raise AssertionError("another site was accepted")
            except InvalidStatus as refusal:
                same(refusal.response.status_code, 403)
            await two.send("x" * 5000)
            same(await closed(two), 1009)
            server.interrupt()
            same(await closed(one), 1001)
        await server.ends()


@check("http2")
async def http2(name):
    """Over HTTP/1.1; the group `h2` has browsers, Node and hypercorn over HTTP/2."""
    async with running(name) as program:
        lines = await program.ends()
        same([line[:9] for line in lines], ["HTTP/2.0:"] * 3 + ["HTTP/1.1:"])


@check("blocking_client")
async def blocking_client(name):
    async with listening(echo) as (url, codes):
        async with running(name, url.removeprefix("ws://"), "Grüße") as client:
            await client.prints("Grüße")
            await client.ends()
        same(await codes.get(), 1000)


@check("tokio_core")
async def tokio_core(name):
    async with running(name, "127.0.0.1:0") as server:
        url = (await server.prints("^Listening at (ws://.*)$"))[1]
        async with dial(url) as ws:
            for message in ["Grüße", b"\x00\xff", "x" * 100_000]:
                await ws.send(message)
                same(await ws.recv(), message)


@check("a port in use, and no server: errors that say so")
async def errors(_):
    async with serving("echo_server") as server:
        for name in ("hello_server", "async_std_hello_server"):
            async with running(name, f"127.0.0.1:{server.port}") as second:
                await second.prints(f"^Error: cannot listen on 127.0.0.1:{server.port}: .*in use")
                await second.ends(1)
    for name in ("echo_client", "async_std_echo_client"):
        async with running(name, server.url) as client:
            await client.prints("^Error: .*refused")
            await client.ends(1)


async def run(name, function):
    try:
        async with asyncio.timeout(90):
            await function(name)
    except Exception as exc:
        print("fail", name, " ".join(f"{type(exc).__name__}: {exc}".split()), sep="\t", flush=True)
        return False
    print("ok", name, sep="\t", flush=True)
    return True


async def main():
    wanted = args["checks"].split("|") if "checks" in args else checks
    verdicts = [await run(name, checks[name]) for name in checks if name in wanted]
    return 0 if all(verdicts) else 1


sys.exit(asyncio.run(main()))
