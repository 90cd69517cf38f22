import os
import ssl
import sys

from flask import Flask, request
from flask_sock import Sock
from simple_websocket import Client, ConnectionClosed, ConnectionError


def echo(ws):
    try:
        while True:
            message = ws.receive()
            if isinstance(message, str) and message.startswith("close "):
                _, code, reason = message.split(" ", 2)
                ws.close(int(code), reason)
            else:
                ws.send(message)
    except ConnectionClosed as closed:
        return int(closed.reason), closed.message or ""


if sys.argv[1] == "client":
    context = ssl.create_default_context(cafile=os.environ["FLEET_CA"])
    try:
        ws = Client.connect(sys.argv[2], ssl_context=context if sys.argv[2].startswith("wss") else None)
        print("closed", *echo(ws), flush=True)
    except ConnectionError as refused:
        print("refused", refused, flush=True)
else:
    app = Flask(__name__)
    if not os.environ["FLEET_COMPRESSION"]:
        app.config["SOCK_SERVER_OPTIONS"] = {}
    sock = Sock(app)
    sock.route("/")(echo)

    @app.before_request
    def refuse():
        if request.path == "/refuse":
            return "not today\n", 403

    context = (os.environ["FLEET_CERT"], os.environ["FLEET_KEY"]) if os.environ["FLEET_TLS"] else None
    app.run("127.0.0.1", int(sys.argv[2]), ssl_context=context)
