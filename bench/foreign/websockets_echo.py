"""Python `websockets` as its documentation shows it: an echo server that prints its port."""

import asyncio
import os
import sys
import threading

import websockets
from websockets.asyncio.server import serve


async def echo(websocket):
    try:
        async for message in websocket:
            await websocket.send(message)
    except websockets.ConnectionClosedError:
        pass


async def main():
    async with serve(echo, "127.0.0.1", 0, compression=None, max_size=64 << 20) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()


# The runner holds the other end of standard input.
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
asyncio.run(main())
