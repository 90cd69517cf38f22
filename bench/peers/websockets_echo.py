"""Python `websockets` as its documentation shows it: an echo server that prints its port.

Told what to do like the programs in servers/host: TASK FORM MESSAGE_SIZE.
"""

import asyncio
import os
import sys
import threading

import websockets
from websockets.asyncio.server import serve

# Whether context is taken over is what the client offers.
COMPRESSION = {"echo": None, "deflate": "deflate", "deflate-takeover": "deflate"}


async def echo(websocket):
    try:
        async for message in websocket:
            await websocket.send(message)
    except websockets.ConnectionClosedError:
        pass


async def main(compression):
    async with serve(echo, "127.0.0.1", 0, compression=compression, max_size=64 << 20) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()


if sys.argv[1] in COMPRESSION:
    # The runner holds the other end of standard input.
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    asyncio.run(main(COMPRESSION[sys.argv[1]]))
else:
    print("unsupported")
