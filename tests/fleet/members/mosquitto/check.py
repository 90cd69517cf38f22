import sys

import fleet

port = int(sys.argv[1])
config = fleet.work() / "mosquitto.conf"
# 2.0.11 ends at once if it has no listener besides those for WebSocket.
config.write_text(
    f"listener {port} 127.0.0.1\nprotocol websockets\nlistener {fleet.free_port()} 127.0.0.1\nallow_anonymous true\n"
)
fleet.await_port(port, fleet.start(["/usr/sbin/mosquitto", "-c", config]))

with fleet.talk(f"ws://127.0.0.1:{port}/", subprotocols="mqtt") as ws:
    with fleet.check("MQTT: CONNECT, SUBSCRIBE, a publication comes back"):
        fleet.same(ws.subprotocol, "mqtt")
        ws.send(bytes.fromhex("10 0f 0004 4d515454 04 02 003c 0003 666c74"))
        fleet.same(ws.recv(), bytes.fromhex("20020000"))
        ws.send(bytes.fromhex("82 06 0001 0001 74 00"))
        fleet.same(ws.recv(), bytes.fromhex("9003000100"))
        publication = bytes.fromhex("30 05 0001 74") + b"hi"
        ws.send(publication)
        fleet.same(ws.recv(), publication)
    fleet.ping_and_close(ws)
