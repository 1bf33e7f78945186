"""Secrets and certificates: the objects that block nodes name. No value ever stands on a command line."""

from __future__ import annotations

import base64

from roost.drivers.qemu.plan.context import Context
from roost.drivers.qemu.plan.pieces import Piece, Props


def secret(name: str, ctx: Context) -> Piece:
    """The object `name`, whose value a starting QEMU reads from a descriptor and a running one is told."""
    data: Props = {"qom-type": "secret", "id": name}
    if ctx.running:
        value = base64.b64encode(ctx.grants.secrets.get(name, b"")).decode()
        return Piece("object", data | {"data": value, "format": "base64"})
    fds = ctx.grants.fds.get(name)
    # Without a grant the command line is only shown: where the value would come from has a name all the same.
    return Piece("object", data | {"file": f"/dev/fd/{ctx.use(fds[0])}" if fds else f"{name}.secret", "format": "raw"})


def certificates(name: str, directory: str) -> Piece:
    """A client's TLS credentials."""
    return Piece(
        "object",
        {"qom-type": "tls-creds-x509", "id": name, "dir": directory, "endpoint": "client", "verify-peer": True},
    )


__all__ = ["certificates", "secret"]
