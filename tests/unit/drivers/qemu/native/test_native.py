"""Command lines read as documents: those people write by hand, those that drivers write, and nonsense."""

from __future__ import annotations

import contextlib
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.drivers.qemu import native
from roost.errors import RoostError
from roost.model.domain import Domain, format
from support import parity

BY_HAND = r"""
# how the machine was started until now
QEMU_AUDIO_DRV=none /usr/bin/qemu-system-x86_64 -enable-kvm -name "old box" -m 2G -smp 4,sockets=1,cores=2,threads=2 \
  -M q35 -cpu Nehalem,+aes,-vmx,hv_relaxed,hv_spinlocks=0x1fff -boot order=dc,menu=on \
  -drive file=/images/root.qcow2,if=virtio,format=qcow2,cache=none -cdrom /images/install.iso \
  -netdev user,id=n0 -device virtio-net-pci,netdev=n0,mac=52:54:00:01:02:03 -nic bridge,br=br0,model=e1000 \
  -device usb-tablet -vga qxl -vnc 127.0.0.1:1 -serial unix:/run/serial.sock,server -rtc base=localtime \
  -global ICH9-LPC.noreboot=off -no-reboot -daemonize
"""


def shown(text: str) -> str:
    return format(native.parse(text))


def test_what_people_write() -> None:
    document = native.parse(BY_HAND)
    assert (document.name, document.type, document.memory, document.os.machine) == ("old box", "kvm", 2 << 20, "q35")
    assert document.on_reboot == "destroy"
    text = format(document)
    for part in (
        "<vcpu>4</vcpu>",
        "<topology sockets='1' cores='2' threads='2'/>",
        "<feature policy='require' name='aes'/>",
        "<feature policy='disable' name='vmx'/>",
        "<relaxed state='on'/>",
        "<spinlocks state='on' retries='8191'/>",
        "<boot dev='cdrom'/>",
        "<bootmenu enable='yes'/>",
        "<driver name='qemu' type='qcow2' cache='none'/>",
        "<source file='/images/root.qcow2'/>",
        "<target dev='vda' bus='virtio'/>",
        "<target dev='sda' bus='sata'/>",
        "<mac address='52:54:00:01:02:03'/>",
        "<source bridge='br0'/>",
        "<model type='e1000'/>",
        "<input type='tablet' bus='usb'/>",
        "<model type='qxl'",
        "port='5901'",
        "<source mode='bind' path='/run/serial.sock'/>",
        "<clock offset='localtime'/>",
        "<qemu:arg value='-global'/>",
        "<qemu:arg value='ICH9-LPC.noreboot=off'/>",
        "<qemu:env name='QEMU_AUDIO_DRV' value='none'/>",
    ):
        assert part in text, part


def test_a_comma_in_a_name_is_doubled() -> None:
    assert native.parse("qemu-system-x86_64 -name guest=a,,b,debug-threads=on").name == "a,b"
    text = shown("qemu-system-x86_64 -drive file=/a,,b,if=virtio,format=raw")
    assert "<source file='/a,b'/>" in text


def test_an_unknown_device_is_kept() -> None:
    text = shown("qemu-system-x86_64 -device frobnicator,id=x,speed=3 -foo -bar baz")
    words = [line.split("'")[1] for line in text.splitlines() if "<qemu:arg" in line]
    assert sorted(words) == sorted(["-foo", "-bar", "baz", "-device", "frobnicator,id=x,speed=3"])


#: Documents whose command line leads back to one that means the same.
ROUND_TRIPS = (
    "small/balloon-none-pc", "small/rng-pc", "small/rng-rate-pc", "disk/cdrom-pc", "disk/disk-virtio-pc",
    "chardev/chardev-serial-two", "chardev/chardev-serial-unix-connect", "chardev/chardev-channel-two",
    "chardev/chardev-serial-file-append", "guest/guest-pc", "guest/guest-q35", "controller/controller-usb-default-q35",
)  # fmt: skip


def completed_again(lines: list[str]) -> Domain:
    words = ["/usr/bin/qemu-system-x86_64"]
    for line in lines:
        flag, _, value = line.partition(" ")
        words += [flag, value] if value else [flag]
    return parity.completed(shown(shlex.join(words)))


@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_there_and_back(name: str) -> None:
    (case,) = parity.cases(name)
    lines = case.recorded().args
    assert lines is not None
    assert sorted(parity.our_args(completed_again(lines))) == sorted(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no emulator path found"),
        ("A=b", "no emulator path found"),
        ("qemu 'x", "cannot parse the command line: No closing quotation"),
        ("qemu -m many", "cannot parse memory level 'many'"),
        ("qemu -device {", "cannot parse {"),
        ("qemu -name", "missing value for -name argument"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(RoostError) as caught:
        native.parse(text)
    assert message in caught.value.message


WORDS = st.sampled_from(
    ["-drive", "-device", "-m", "-smp", "-netdev", "-chardev", "-vnc", "-serial", "-cpu", "-blockdev", "-boot", "-nic",
     "-machine", "-rtc", "-object", "-vga", "-spice", "-display", "-drive file=x", "id=a,file=b"]
)  # fmt: skip


@given(st.lists(WORDS | st.text(max_size=30), max_size=12))
def test_nonsense_is_refused_or_read(words: list[str]) -> None:
    with contextlib.suppress(RoostError):
        assert native.parse("qemu-system-x86_64 " + " ".join(words)).name
