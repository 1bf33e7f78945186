"""Certificates for servers and clients of the tests."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


def certificates(directory: Path, passphrase: str = "") -> None:
    """An authority, and what a server called localhost and its clients need, for QEMU's user to read.

    `directory`/stranger is a client that knows the authority and has no certificate. passphrase: of the server's key.
    """
    directory.mkdir()
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]

    def openssl(*words: str) -> None:
        command = ["openssl", *words]
        subprocess.run(command, cwd=directory, check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    openssl("req", "-x509", *new, "-nodes", "-days", "2", "-subj", "/CN=authority", "-keyout", "ca-key.pem",
            "-out", "ca-cert.pem")  # fmt: skip
    for who, usage in (("server", "serverAuth"), ("client", "clientAuth")):
        (directory / "extensions").write_text(
            f"basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage={usage}\n"
            "subjectAltName=DNS:localhost\n"
        )
        closed = ["-passout", f"pass:{passphrase}"] if passphrase and who == "server" else ["-nodes"]
        openssl("req", *new, *closed, "-subj", "/CN=localhost", "-keyout", f"{who}-key.pem", "-out", "request.pem")
        openssl("x509", "-req", "-days", "2", "-in", "request.pem", "-CA", "ca-cert.pem", "-CAkey", "ca-key.pem",
                "-CAcreateserial", "-extfile", "extensions", "-out", f"{who}-cert.pem")  # fmt: skip
    (directory / "stranger").mkdir()
    shutil.copy(directory / "ca-cert.pem", directory / "stranger")
    for path in (directory, *directory.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
