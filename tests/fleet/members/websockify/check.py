import queue
import socket
import sys
import threading

import fleet

port = int(sys.argv[1])
service = socket.create_server(("127.0.0.1", 0))
answers = queue.Queue()


def serve():
    while True:
        client, _ = service.accept()
        client.sendall(b"RFB 003.008\n")
        answers.put(client.recv(12))


threading.Thread(target=serve, daemon=True).start()
target = f"127.0.0.1:{service.getsockname()[1]}"
script = "from websockify.websocketproxy import websockify_init; websockify_init()"
fleet.await_port(port, fleet.start([sys.executable, "-c", script, f"127.0.0.1:{port}", target]))

with fleet.talk(f"ws://127.0.0.1:{port}/", subprotocols="binary") as ws:
    with fleet.check("VNC: the greeting, both ways"):
        fleet.same(ws.recv(), b"RFB 003.008\n")
        ws.send(b"RFB 003.008\n")
        # The first connection was that which waited for the port.
        fleet.same(any(answers.get(timeout=15) == b"RFB 003.008\n" for _ in range(2)), True)
    fleet.ping_and_close(ws)
