"""What qemu.conf says of displays, to libvirtd and to roostd: the same documents, command lines and ways in."""

from __future__ import annotations

import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.certificates import certificates
from support.daemon import RoostDaemon
from support.peer import Peer, virsh, virsh_ok
from support.processes import running

pytestmark = [
    pytest.mark.peer,
    pytest.mark.guest,
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed"),
]

NAME = f"shown{os.getpid()}"
XML = f"""<domain type='qemu'><name>{NAME}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>%s</devices></domain>"""
VNC = "<graphics type='vnc' autoport='yes'/>"
SPICE = "<graphics type='spice' autoport='yes'/>"
CASES = {
    "addresses": ('vnc_listen = "127.0.0.2"\nspice_listen = "127.0.0.3"\n', VNC + SPICE),
    "own-address": ('vnc_listen = "127.0.0.2"\n', "<graphics type='vnc' autoport='yes' listen='127.0.0.4'/>"),
    "sockets": ("vnc_auto_unix_socket = 1\nspice_auto_unix_socket = 1\n", VNC + SPICE),
    "socket-and-address": ("vnc_auto_unix_socket = 1\n", "<graphics type='vnc' port='-1' listen='127.0.0.4'/>"),
    "passwords": ('vnc_password = "usual"\nspice_password = "other"\n', VNC + SPICE),
    "own-password": ('vnc_password = "usual"\n', "<graphics type='vnc' autoport='yes' passwd='own'/>"),
    "nobody": ('vnc_password = ""\n', VNC),
    "tls": ('vnc_tls = 1\nvnc_tls_x509_cert_dir = "PKI"\n', VNC),
    "tls-of-clients": ('vnc_tls = 1\nvnc_tls_x509_cert_dir = "PKI"\nvnc_tls_x509_verify = 1\n', VNC),
    "tls-as-all": ('vnc_tls = 1\ndefault_tls_x509_cert_dir = "PKI"\ndefault_tls_x509_verify = 1\n', VNC),
    "sasl": ('vnc_sasl = 1\nvnc_sasl_dir = "PKI"\nvnc_password = "usual"\n', VNC),
    "sasl-of-spice": ("spice_sasl = 1\n", SPICE),
}


@pytest.fixture(scope="module")
def pki() -> Iterator[Path]:
    # Not pytest's own directory: QEMU's user must be able to enter.
    directory = Path(tempfile.mkdtemp(prefix="roost-shown-", dir="/tmp"))
    directory.chmod(0o755)
    certificates(directory / "pki")
    yield directory / "pki"
    shutil.rmtree(directory)


def offered(address: str, port: int) -> list[int]:
    """How clients of VNC may authenticate: 1 not at all, 2 by password, 19 by VeNCrypt, 20 by SASL."""
    with socket.create_connection((address, port), timeout=10) as client, client.makefile("rb") as answers:
        client.sendall(answers.read(12))
        return sorted(answers.read(answers.read(1)[0]))


def seen(daemon: Peer | RoostDaemon, document: Path) -> list[str]:
    """All that the guest shows of its displays, without numbers of ports and paths of the daemon's own."""
    created = virsh(daemon.uri, "create", str(document))
    if not created.ok:
        return ["refused", created.stderr]
    try:
        shown = re.findall(r" *<graphics.*?</graphics>", virsh_ok(daemon.uri, "dumpxml", NAME), re.DOTALL)
        words = (qemu() / "cmdline").read_text().split("\0")
        for option in ("-vnc", "-spice"):
            shown += [words[place + 1] for place, word in enumerate(words) if word == option]
        shown += [word for word in words if "vnc-tls-creds0" in word]
        found = re.search(r"type='vnc' port='(\d+)'.*?address='(.*?)'", "".join(shown), re.DOTALL)
        if found is not None:
            shown.append(f"offers {offered(found[2], int(found[1]))}")
        environment = (qemu() / "environ").read_text().split("\0")
        shown += [each for each in environment if each.startswith("SASL")]
    finally:
        virsh_ok(daemon.uri, "destroy", NAME)
    text = "\n".join(shown)
    text = re.sub(r"port='\d+'|(?<=\.\d):\d+(?=,)|port=\d+", "PORT", text)
    return re.sub(r"/\S*/domain-\d+-", "DIRECTORY/domain-", text).splitlines()


def qemu() -> Path:
    """The guest's process."""
    (pid,) = running(rf"qemu-system.*guest={NAME},")
    return Path(f"/proc/{pid}")


@pytest.mark.parametrize("case", CASES)
def test_displays(case: str, pki: Path, tmp_path: Path) -> None:
    settings, displays = CASES[case]
    settings = settings.replace("PKI", str(pki))
    document = tmp_path / "guest.xml"
    document.write_text(XML % displays)

    class Configured(Peer):
        CONFIGURATION = Peer.CONFIGURATION | {"qemu.conf": Peer.CONFIGURATION["qemu.conf"] + settings}

    with ExitStack() as stack:
        peer = stack.enter_context(Configured())
        daemon = RoostDaemon()
        (daemon.root / "etc").mkdir()
        (daemon.root / "etc" / "qemu.conf").write_text(settings)
        stack.enter_context(daemon)
        expected = seen(peer, document)
        assert seen(daemon, document) == expected
        assert expected[0] != "refused" or case in ("sasl", "sasl-of-spice"), expected
