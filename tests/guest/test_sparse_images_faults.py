"""A daemon killed at any step of saving a guest to a file in which each page has its place."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.client.blocking import Client
from roost.constants import domain as D
from roost.constants import typed_params as T
from roost.errors import RoostError
from support import mortal
from support.daemon import RoostDaemon
from support.emulators import need_mapped_ram
from support.peer import virsh_ok
from support.victims import PATIENCE

pytestmark = [pytest.mark.guest, pytest.mark.root]

DOCUMENT = """<domain type='qemu'><name>dies</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><serial type='pty'/></devices></domain>"""


@pytest.fixture
def last_step() -> Iterator[Path]:
    """The file that holds the number of the step that the daemon does not live to take."""
    need_mapped_ram()
    with tempfile.TemporaryDirectory(prefix="roost-step-", dir="/tmp") as directory:
        yield Path(directory) / "step"


@pytest.fixture
def daemon(last_step: Path) -> Iterator[RoostDaemon]:
    environment = {mortal.VARIABLE: str(last_step)}
    with RoostDaemon(environment=environment, prefix=[sys.executable, mortal.__file__]) as running:
        yield running


def until_dead(daemon: RoostDaemon) -> None:
    deadline = time.monotonic() + PATIENCE
    while daemon.is_running:
        assert time.monotonic() < deadline, "the daemon lives"
        time.sleep(0.005)


def dies(daemon: RoostDaemon, last_step: Path, step: str, *, flags: int = 0) -> bool:
    """Whether the daemon came to that step. Its guest goes on, or is whole in its image; nothing is left in QEMU."""
    client, image = Client.open(daemon.uri), daemon.root / "image"
    image.unlink(missing_ok=True)
    guest = client.call("DOMAIN_CREATE_XML", DOCUMENT, 0)[0]
    last_step.write_text(step)
    parameters = [
        (D.SAVE_PARAM_FILE, (T.STRING, str(image))),
        (D.SAVE_PARAM_IMAGE_FORMAT, (T.STRING, "sparse")),
        (D.SAVE_PARAM_PARALLEL_CHANNELS, (T.INT, 2)),
    ]
    try:
        client.call("DOMAIN_SAVE_PARAMS", guest, parameters, flags)
        client.close()
        return False
    except RoostError:
        client.abandon()
        until_dead(daemon)
    finally:
        last_step.unlink()
    daemon.start()
    client = Client.open(daemon.uri)
    with contextlib.closing(client):
        if daemon.guest_pids():
            assert client.call("DOMAIN_GET_STATE", guest, 0)[0] == D.RUNNING
            lent = virsh_ok(daemon.uri, "qemu-monitor-command", "dies", '{"execute": "query-fdsets"}')
            assert '"return":[]' in lent
            # What there is of the image is none.
            assert not image.exists() or image.read_bytes()[:16] in (b"", b"LibvirtQemudPart")
            with pytest.raises(RoostError):
                client.call("DOMAIN_RESTORE", str(image))
            # The other way, and the same once more.
            client.call("DOMAIN_SAVE", guest, str(image))
            client.call("DOMAIN_RESTORE", str(image))
            guest = client.call("DOMAIN_LOOKUP_BY_NAME", "dies")[0]
            client.call("DOMAIN_SAVE_PARAMS", guest, parameters, flags)
        client.call("DOMAIN_RESTORE", str(image))
        guest = client.call("DOMAIN_LOOKUP_BY_NAME", "dies")[0]
        assert client.call("DOMAIN_GET_STATE", guest, 0)[0] == D.RUNNING
        client.call("DOMAIN_DESTROY", guest)
    assert "Traceback" not in daemon.log
    return True


#: QEMU has answered that it is stopped; has the file; writes; has written. The image says that it is whole.
@pytest.mark.parametrize("step", ["3", "10", "12", "13", "w2"])
def test_a_death(daemon: RoostDaemon, last_step: Path, step: str) -> None:
    assert dies(daemon, last_step, step)


#: QEMU knows how it is written; has the file; reads.
@pytest.mark.parametrize("step", ["20", "23", "24"])
def test_a_death_while_it_is_read(daemon: RoostDaemon, last_step: Path, step: str) -> None:
    """Its start is given up as a whole; the image stays, and the domain starts from it."""
    client = Client.open(daemon.uri)
    guest = client.call("DOMAIN_DEFINE_XML", DOCUMENT)[0]
    client.call("DOMAIN_CREATE", guest)
    client.call("DOMAIN_SAVE_PARAMS", guest, [(D.SAVE_PARAM_IMAGE_FORMAT, (T.STRING, "sparse"))], 0)
    last_step.write_text(step)
    with pytest.raises(RoostError):
        client.call("DOMAIN_CREATE", guest)
    last_step.unlink()
    client.abandon()
    until_dead(daemon)
    daemon.start()
    with contextlib.closing(Client.open(daemon.uri)) as client:
        assert not daemon.guest_pids()
        assert client.call("DOMAIN_HAS_MANAGED_SAVE_IMAGE", guest, 0) == (1,)
        client.call("DOMAIN_CREATE", guest)
        assert client.call("DOMAIN_GET_STATE", guest, 0) == (D.RUNNING, D.RUNNING_RESTORED)
        client.call("DOMAIN_DESTROY", guest)


@pytest.mark.soak
@pytest.mark.parametrize("flags", [0, D.SAVE_BYPASS_CACHE], ids=["cached", "direct"])
@pytest.mark.parametrize("kind", ["", "w"], ids=["answers", "writes"])
def test_a_death_at_every_step(daemon: RoostDaemon, last_step: Path, kind: str, flags: int) -> None:
    step = 1
    while dies(daemon, last_step, f"{kind}{step}", flags=flags):
        step += 1
    assert step > 1
