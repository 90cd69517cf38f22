"""The exchanges, as the program `fleet-peer` names them, and the columns of the table."""

CLOSES = ["1000", "1001", "3000", "4999", "empty", "longest reason"]

# The columns: their heads, and the exchanges of each.
COLUMNS = {
    "messages": ["text", "binary", "empty", "70 KB", "1 MiB − 1"],
    "fragments": ["fragments"],
    "Ping": ["Ping", "Ping between fragments"],
    "we close": [f"we close {close}" for close in CLOSES],
    "they close": [f"they close {close}" for close in CLOSES],
    "compression": ["compression"],
    "TLS": ["TLS"],
    "refusal": ["refusal"],
    "idle": ["idle"],
    "shutdown": ["shutdown"],
}
EXCHANGES = [exchange for column in COLUMNS.values() for exchange in column]

# What the application at the other end sees, for each of the closes.
SEEN = {
    "1000": (1000, "bye"),
    "1001": (1001, "bye"),
    "3000": (3000, "bye"),
    "4999": (4999, "bye"),
    "empty": (1005, ""),
    "longest reason": (1000, "é" * 61 + "!"),
}
