"""What else can be asked of a running guest and done to it: the same commands under libvirtd and under roostd."""

from __future__ import annotations

import re
from itertools import zip_longest
from pathlib import Path

import pytest

from support.daemon import RoostDaemon
from support.peer import Peer, virsh, virsh_ok

pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.guest]

XML = """<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>asked</name>
<uuid>c5d4a2a0-6f0c-4cf0-9d2b-5d3a7a1f0a14</uuid><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc-i440fx-1.4'>hvm</type></os><features><acpi/></features>
<pm><suspend-to-mem enabled='yes'/><suspend-to-disk enabled='yes'/></pm>
<devices><controller type='virtio-serial'/><channel type='pty'><target type='virtio' name='org.example.a'/></channel>
<interface type='ethernet'><mac address='52:54:00:00:00:71'/><script path='/bin/true'/></interface>
<serial type='pty'/></devices>
<qemu:commandline><qemu:env name='ROOST' value='test'/></qemu:commandline></domain>"""

#: Words of virsh, one after another. What the guest would have to answer is not among them.
STEPS = """
dominfo asked
send-process-signal asked 1 sigterm
send-process-signal asked 0 0
send-process-signal nosuch 1 9
inject-nmi asked
dompmsuspend asked mem
dompmsuspend asked hybrid
dompmsuspend asked mem --duration 5
dompmwakeup asked
send-key asked KEY_LEFTCTRL KEY_C
send-key asked --codeset xt 30
send-key asked --codeset nonsense 30
send-key asked KEY_NONSENSE
domrename asked other
metadata asked http://example.org/a
metadata asked http://example.org/a --key a --set <b/>
metadata asked http://example.org/a
metadata asked http://example.org/a --config
metadata asked http://example.org/a --key a --set <c/> --config
metadata asked http://example.org/a --live
metadata asked http://example.org/a --remove
metadata asked http://example.org/a --set nonsense --key a
metadata asked http://example.org/a --set <b/>
desc asked
desc asked --live hello
desc asked --config there
desc asked
desc asked --title --live --new-desc sometitle
desc asked --title --config
set-lifecycle-action asked poweroff restart
set-lifecycle-action asked reboot destroy --config
set-lifecycle-action asked crash preserve --live --config
set-lifecycle-action asked crash coredump-destroy
set-lifecycle-action asked poweroff coredump-destroy
set-lifecycle-action asked nonsense destroy
set-lifecycle-action asked poweroff rename-restart
qemu-monitor-command asked --hmp info status
qemu-monitor-command asked {"execute":"query-status"}
qemu-monitor-command asked query-status
qemu-monitor-command asked --pretty {"execute":"query-name"}
qemu-monitor-command asked --return-value {"execute":"query-status"}
qemu-monitor-command asked {"execute":"nonsense"}
qemu-monitor-command asked --hmp nonsense
qemu-attach 1
qemu-attach 999999
autostart asked
autostart asked --disable
dominfo asked
domid asked
domstate asked --reason
domcontrol asked
vncdisplay asked
domdisplay asked
ttyconsole nosuch
domlaunchsecinfo asked
domjobinfo asked
domtime asked
reset asked
reboot asked --mode nonsense
reboot asked --mode agent
reboot asked --mode initctl
shutdown asked --mode agent
reboot asked --mode signal
suspend asked
suspend asked
resume asked
resume asked
start asked
domblkerror asked
undefine asked
""".strip().splitlines()


def _play(uri: str, document: Path) -> list[tuple[int, str]]:
    virsh_ok(uri, "define", str(document))
    virsh_ok(uri, "start", "asked")
    try:
        answers = [virsh(uri, *step.split(" ", 2)[:2], *_rest(step)) for step in STEPS]
    finally:
        virsh(uri, "destroy", "asked")
        virsh(uri, "undefine", "asked")
    return [(answer.returncode, (answer.stdout + answer.stderr).strip()) for answer in answers]


def _rest(step: str) -> list[str]:
    """A command of QEMU's monitor is one word."""
    words = step.split()[2:]
    return [" ".join(words[1:]), words[0]] if words[:1] == ["--hmp"] else words


def _normal(text: str) -> str:
    """Without what differs from one run to the next."""
    text = re.sub(r"libvirt-\d+", "libvirt-N", text)
    text = re.sub(r"(?m)^(Id: +)?\d+$", "a number", text)  # it grows with every guest that others start
    return re.sub(r"CPU time: +[0-9.]+s", "CPU time", text)


def test_the_same_commands(peer: Peer, tmp_path: Path) -> None:
    document = tmp_path / "asked.xml"
    document.write_text(XML)
    theirs = _play(peer.uri, document)
    with RoostDaemon() as daemon:
        ours = _play(daemon.uri, document)
    for step, (their_code, their_text), (code, text) in zip(STEPS, theirs, ours, strict=True):
        assert code == their_code, f"{step}: {their_text!r}, {text!r}"
        pairs = zip_longest(_normal(text).splitlines(), _normal(their_text).splitlines(), fillvalue="")
        for line, their_line in pairs:
            # Behind the same words may stand what helps.
            assert line == their_line or line.startswith(f"{their_line}; "), step
