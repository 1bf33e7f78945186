"""The console of a real guest through the daemon, for the C binding and virsh: the guest echoes what it reads."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
from collections.abc import Iterator

import pytest

from support.console import Console
from support.daemon import RoostDaemon
from support.peer import libvirt_result, virsh_ok

pytestmark = pytest.mark.guest

#: A boot sector that sends back each byte that comes in by the first serial port.
ECHO = (
    bytes.fromhex(
        "fa"  # cli
        "bafd03 ec a801 74f8"  # wait for a byte
        "baf803 ec 88c3"  # read it
        "bafd03 ec a820 74fb"  # wait until one can be sent
        "88d8 baf803 ee"  # send it
        "ebe2"  # and again
    ).ljust(510, b"\0")
    + b"\x55\xaa"
)

DOMAIN = """<domain type='qemu'>
  <name>echo</name>
  <memory unit='MiB'>32</memory>
  <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/><source file='{disk}'/><target dev='hda' bus='ide'/>
    </disk>
    <serial type='pty'/>
    <console type='pty'/>
  </devices>
</domain>"""

#: What the scripts below begin with.
OPENED = """
conn = libvirt.open(sys.argv[1])
dom = conn.lookupByName("echo")

def opened(flags=0):
    stream = conn.newStream()
    dom.openConsole(None, stream, flags)
    return stream

def exactly(stream, count):
    data = b""
    while len(data) < count:
        data += stream.recv(count - len(data))
    return data

def ask(stream, text):
    stream.send(text)
    return exactly(stream, len(text)).decode()
"""


@pytest.fixture(scope="module")
def daemon() -> Iterator[RoostDaemon]:
    with RoostDaemon() as running:
        disk = running.root / "echo.img"
        disk.write_bytes(ECHO)
        definition = running.root / "echo.xml"
        definition.write_text(DOMAIN.format(disk=disk))
        virsh_ok(running.uri, "define", str(definition))
        yield running


@pytest.fixture
def uri(daemon: RoostDaemon) -> Iterator[str]:
    """The guest runs. It answers when its BIOS is done: what is typed before that waits in the serial port."""
    virsh_ok(daemon.uri, "start", "echo")
    yield daemon.uri
    virsh_ok(daemon.uri, "destroy", "echo")


def test_what_is_typed_comes_back(uri: str) -> None:
    script = """
stream = opened()
out = [ask(stream, b"hello"), ask(stream, bytes(range(32, 127)))]
stream.finish()
again = opened()
out.append(ask(again, b"once more"))
again.abort()
print(json.dumps(out))
"""
    assert libvirt_result(OPENED + script, uri) == ["hello", bytes(range(32, 127)).decode(), "once more"]


def test_more_than_any_buffer_holds(uri: str) -> None:
    """The guest takes a byte at a time; all of it comes back, in order, while other calls are answered."""
    script = """
import threading
stream = opened()
sent = bytes(33 + n % 90 for n in range(60_000))
typing = threading.Thread(target=lambda: stream.sendAll(lambda s, n, o: o.pop(0) if o else b"",
                                                        [sent[k:k + 5000] for k in range(0, len(sent), 5000)]))
typing.start()
states = [dom.state()[0] for _ in range(50)]
received = exactly(stream, len(sent))
typing.join()
stream.finish()
print(json.dumps([received == sent, sorted(set(states))]))
"""
    assert libvirt_result(OPENED + script, uri) == [True, [1]]


def test_one_at_a_time_unless_forced(uri: str) -> None:
    script = """
first = opened()
assert ask(first, b"x") == "x"
try:
    opened(libvirt.VIR_DOMAIN_CONSOLE_SAFE)
    out = ["opened"]
except libvirt.libvirtError as error:
    out = [error.get_error_code(), error.get_error_domain()]
second = opened(libvirt.VIR_DOMAIN_CONSOLE_FORCE)
out.append(ask(second, b"mine"))
second.finish()
print(json.dumps(out))
"""
    code, domain, echoed = libvirt_result(OPENED + script, uri)
    assert (code, domain, echoed) == (9, 10, "mine")


def test_the_end_of_the_guest_ends_the_stream(daemon: RoostDaemon) -> None:
    virsh_ok(daemon.uri, "start", "echo")
    script = """
stream = opened()
ask(stream, b"x")
dom.destroy()
end = stream.recv(100)
try:
    stream.finish()
except libvirt.libvirtError:
    pass
print(json.dumps([len(end), conn.isAlive(), dom.isActive()]))
"""
    assert libvirt_result(OPENED + script, daemon.uri) == [0, 1, 0]


def test_a_client_that_vanishes_lets_the_next_one_in(uri: str) -> None:
    libvirt_result(OPENED + "s = opened(); ask(s, b'x'); print(1, flush=True); import os; os._exit(0)", uri)
    script = "s = opened(libvirt.VIR_DOMAIN_CONSOLE_SAFE); print(json.dumps(ask(s, b'free'))); s.finish()"
    assert libvirt_result(OPENED + script, uri) == "free"


def test_virsh_console(uri: str) -> None:
    ours, theirs = pty.openpty()
    virsh = subprocess.Popen(
        ["virsh", "-c", uri, "console", "echo"], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    try:
        console = Console(ours)
        console.wait_for("Escape character is ^]")
        os.write(ours, b"good day")
        console.wait_for("good day")
        # virsh says its line before it takes the terminal over, and what is typed in between is lost.
        for _ in range(30):
            os.write(ours, b"\x1d")
            with contextlib.suppress(subprocess.TimeoutExpired):
                virsh.wait(2)
                break
        assert virsh.returncode == 0
    finally:
        virsh.kill()
        virsh.wait()
        os.close(ours)
