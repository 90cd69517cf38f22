import sys

from lomond import WebSocket

ws = WebSocket(sys.argv[2], compress=False)
end = (1006, "")
for event in ws.connect(ping_rate=0):
    if event.name == "text" and event.text.startswith("close "):
        _, code, reason = event.text.split(" ", 2)
        ws.close() if code == "1005" else ws.close(int(code), reason)
    elif event.name == "text":
        ws.send_text(event.text)
    elif event.name == "binary":
        ws.send_binary(event.data)
    elif event.name in ("closing", "closed"):
        end = (event.code or 1005, event.reason or "")
    elif event.name == "rejected":
        print("refused", event.reason)
        sys.exit()
    elif event.name == "disconnected":
        break
print("closed", *end)
