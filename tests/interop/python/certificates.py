#!/usr/bin/env python3
"""Certificates for the checks over TLS, as PEM files in a directory.

usage: certificates.py DIRECTORY

`ca.pem` is whom the clients trust. `server.pem` is as it should be, for localhost and 127.0.0.1, and each of the others
has one thing wrong: `expired`, `early` (not valid yet), `misnamed` (for another host), `stranger` (from a CA that
nobody knows). `client.pem` is a client's. The keys are in `*.key`.
"""

import datetime
import pathlib
import sys

import trustme

HERE = ("localhost", "127.0.0.1")
DAY = datetime.timedelta(days=1)

directory = pathlib.Path(sys.argv[1])
now = datetime.datetime.now(datetime.timezone.utc)
ca = trustme.CA(organization_name="interop")
certificates = {
    "server": ca.issue_cert(*HERE),
    "expired": ca.issue_cert(*HERE, not_before=now - 2 * DAY, not_after=now - DAY),
    "early": ca.issue_cert(*HERE, not_before=now + DAY, not_after=now + 2 * DAY),
    "misnamed": ca.issue_cert("elsewhere.example"),
    "stranger": trustme.CA(organization_name="nobody knows").issue_cert(*HERE),
    "client": ca.issue_cert("client@interop.example"),
}
ca.cert_pem.write_to_path(directory / "ca.pem")
for name, certificate in certificates.items():
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    (directory / f"{name}.pem").write_bytes(chain)
    certificate.private_key_pem.write_to_path(directory / f"{name}.key")
