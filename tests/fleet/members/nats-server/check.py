import sys

import fleet

port = int(sys.argv[1])
config = fleet.work() / "nats.conf"
config.write_text(f"""
host: 127.0.0.1
port: {fleet.free_port()}
websocket {{ host: 127.0.0.1, port: {port}, no_tls: true }}
""")
fleet.await_port(port, fleet.start(["/usr/sbin/nats-server", "-c", config]))

with fleet.talk(f"ws://127.0.0.1:{port}/") as ws:
    with fleet.check("NATS: INFO, CONNECT, PING and PONG, a publication comes back"):
        ws.until(lambda data: data.startswith(b"INFO {"))
        ws.send(b'CONNECT {"verbose":false}\r\nPING\r\n')
        ws.until(lambda data: b"PONG\r\n" in data)
        ws.send(b"SUB a 1\r\nPUB a 5\r\nhello\r\n")
        ws.until(lambda data: b"MSG a 1 5\r\nhello\r\n" in data)
    fleet.ping_and_close(ws)
