"""Commands that attach, detach and change devices: what they send, and what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from roost.errors import OperationFailed
from roost.protocol.types import Domain
from support.answers import Answers
from unit.cli.conftest import Roost

WEB = Domain("web", bytes(range(16)), 7)
DEVICES = """
<disk type="file" device="disk"><source file="/a.img"/><backingStore/><target dev="vda" bus="virtio"/></disk>
<disk type="file" device="cdrom">
  <source file="/a.iso" startupPolicy="optional"/>
  <target dev="hdc" bus="ide"/>
</disk>
<interface type="user"><mac address="52:54:00:00:00:01"/><target dev="vnet3"/></interface>
<memory model="virtio-mem"><target><size unit="KiB">8</size><node>0</node><requested unit="KiB">0</requested></target>
<alias name="virtiomem0"/></memory>
"""
CHANGES = (
    "ATTACH_DEVICE", "ATTACH_DEVICE_FLAGS", "DETACH_DEVICE", "DETACH_DEVICE_FLAGS", "DETACH_DEVICE_ALIAS",
    "UPDATE_DEVICE_FLAGS", "SET_VCPUS", "SET_VCPUS_FLAGS", "SET_VCPU", "ADD_IOTHREAD", "DEL_IOTHREAD",
    "SET_IOTHREAD_PARAMS",
)  # fmt: skip


@pytest.fixture(autouse=True)
def domain(daemon: Answers) -> None:
    daemon.answers |= {
        "DOMAIN_LOOKUP_BY_NAME": lambda name: (WEB,),
        "DOMAIN_IS_ACTIVE": lambda domain: (1,),
        "DOMAIN_GET_XML_DESC": lambda domain, flags: (f"<domain><devices>{DEVICES}</devices></domain>",),
        **{f"DOMAIN_{name}": lambda *_: () for name in CHANGES},
    }


def sent(daemon: Answers) -> tuple[Any, ...]:
    """The last call that changes something: its name, and what follows the domain."""
    changes = [call for call in daemon.calls if call[0].removeprefix("DOMAIN_") in CHANGES]
    name, arguments = changes[-1]
    return (name, *arguments[1:])


@pytest.mark.parametrize(
    ("options", "call", "flags"),
    [
        ((), "DOMAIN_{}_DEVICE", ()),
        (("--current",), "DOMAIN_{}_DEVICE_FLAGS", (0,)),
        (("--live",), "DOMAIN_{}_DEVICE_FLAGS", (1,)),
        (("--config", "--live"), "DOMAIN_{}_DEVICE_FLAGS", (3,)),
        (("--persistent",), "DOMAIN_{}_DEVICE_FLAGS", (3,)),
    ],
)
@pytest.mark.parametrize(("verb", "done"), [("attach", "attached"), ("detach", "detached")])
def test_documents_from_files(
    daemon: Answers, roost: Roost, tmp_path: Path, verb: str, done: str, options: Any, call: str, flags: Any
) -> None:
    path = tmp_path / "device.xml"
    path.write_text("<rng/>")
    outcome = roost(f"{verb}-device", "web", str(path), *options)
    assert outcome == (0, f"Device {done} successfully\n\n", "")
    assert sent(daemon) == (call.format(verb.upper()), "<rng/>", *flags)


def test_what_the_daemon_refuses(daemon: Answers, roost: Roost, tmp_path: Path) -> None:
    path = tmp_path / "device.xml"
    path.write_text("<rng/>")

    def refuse(*_: object) -> tuple[object, ...]:
        raise OperationFailed("no")

    daemon.answers["DOMAIN_UPDATE_DEVICE_FLAGS"] = refuse
    outcome = roost("update-device", "web", str(path), "--force")
    assert outcome.code == 1
    assert outcome.err == f"error: Failed to update device from {path}\nerror: operation failed: no\n"
    assert sent(daemon)[-1] == 4
    assert "Failed to open file '/nowhere'" in roost("attach-device", "web", "/nowhere").err


def test_disks_by_options(daemon: Answers, roost: Roost) -> None:
    words = "attach-disk web /b.img vdb --driver qemu --cache none --serial 5 --address pci:0.0.5.0 --live"
    assert roost(*words.split()).out == "Disk attached successfully\n\n"
    name, xml, flags = sent(daemon)
    assert (name, flags) == ("DOMAIN_ATTACH_DEVICE_FLAGS", 1)
    assert xml.split("\n") == [
        "<disk type='file'>",
        "  <driver name='qemu' cache='none'/>",
        "  <source file='/b.img'/>",
        "  <target dev='vdb'/>",
        "  <serial>5</serial>",
        "  <address type='pci' domain='0x0000' bus='0x00' slot='0x05' function='0x0'/>",
        "</disk>",
        "",
    ]
    assert roost("detach-disk", "web", "/a.img").out == "Disk detached successfully\n\n"
    # Without the images below, which the daemon finds out itself.
    assert sent(daemon)[1] == (
        '<disk type="file" device="disk"><source file="/a.img"/><target dev="vda" bus="virtio"/></disk>'
    )


def test_interfaces_by_options(daemon: Answers, roost: Roost) -> None:
    words = "attach-interface web bridge br0 --model virtio --inbound 100,,300 --config"
    assert roost(*words.split()).out == "Interface attached successfully\n\n"
    assert sent(daemon)[1].splitlines()[1:] == [
        "  <source bridge='br0'/>",
        "  <model type='virtio'/>",
        "  <bandwidth>",
        "    <inbound average='100' burst='300'/>",
        "  </bandwidth>",
        "</interface>",
    ]
    assert roost("detach-interface", "web", "user").out == "Interface detached successfully\n\n"
    assert sent(daemon)[0] == "DOMAIN_DETACH_DEVICE"
    assert "No interface found whose type is direct" in roost("detach-interface", "web", "direct").err


def test_media(daemon: Answers, roost: Roost) -> None:
    assert roost("change-media", "web", "hdc", "/b.iso", "--live").out.startswith("Successfully updated media.")
    name, xml, flags = sent(daemon)
    assert (name, flags) == ("DOMAIN_UPDATE_DEVICE_FLAGS", 1)
    assert '<source file="/b.iso" startupPolicy="optional"/>\n  <target' in xml
    assert roost("change-media", "web", "hdc", "--eject", "--force").out.startswith("Successfully ejected media.")
    assert "<source" not in sent(daemon)[1]
    assert sent(daemon)[2] == 4
    for words, line in (
        ("hdc /b.iso --insert", "The disk device 'hdc' already has media"),
        ("hdc --insert", "New disk media source was not specified"),
        ("vda /b.iso", "No disk found whose source path or target is vda"),
        ("hdc --eject --block", "Options --eject and --block are mutually exclusive"),
    ):
        assert line in roost("change-media", "web", *words.split()).err


def test_links_and_memory(daemon: Answers, roost: Roost) -> None:
    assert roost("domif-setlink", "web", "vnet3", "down").out == "Device updated successfully\n\n"
    assert '<link state="down"/></interface>' in sent(daemon)[1]
    assert roost("domif-getlink", "web", "vnet3").out.strip() == "vnet3 up"
    roost("update-memory-device", "web", "--requested-size", "4MiB", "--alias", "virtiomem0")
    assert '<requested unit="KiB">4096</requested>' in sent(daemon)[1]
    assert "no memory device found" in roost("update-memory-device", "web", "--node", "3").err
    assert roost("detach-device-alias", "web", "net0").out == "Device detach request sent successfully\n\n"


@pytest.mark.parametrize(
    ("words", "call"),
    [
        ("setvcpus web 2", ("DOMAIN_SET_VCPUS", 2)),
        ("setvcpus web 2 --current", ("DOMAIN_SET_VCPUS_FLAGS", 2, 0)),
        ("setvcpus web 2 --config --maximum", ("DOMAIN_SET_VCPUS_FLAGS", 2, 6)),
        ("setvcpus web 2 --guest --live", ("DOMAIN_SET_VCPUS_FLAGS", 2, 9)),
        ("setvcpus web 2 --config --hotpluggable", ("DOMAIN_SET_VCPUS_FLAGS", 2, 18)),
        ("setvcpu web 2-3 --enable --live", ("DOMAIN_SET_VCPU", "2-3", 1, 1)),
        ("setvcpu web 3 --disable", ("DOMAIN_SET_VCPU", "3", 0, 0)),
        ("iothreadadd web 3 --config", ("DOMAIN_ADD_IOTHREAD", 3, 2)),
        ("iothreaddel web 3", ("DOMAIN_DEL_IOTHREAD", 3, 0)),
    ],
)
def test_processors_and_threads(daemon: Answers, roost: Roost, words: str, call: tuple[Any, ...]) -> None:
    assert roost(*words.split()).code == 0
    assert sent(daemon) == call


def test_iothread_parameters(daemon: Answers, roost: Roost) -> None:
    assert roost("iothreadset", "web", "3", "--poll-max-ns", "5", "--thread-pool-max", "-1").code == 0
    _, number, params, flags = sent(daemon)
    assert (number, flags) == (3, 0)
    assert [(param[0], tuple(param[1])) for param in params] == [("poll_max_ns", (4, 5)), ("thread_pool_max", (1, -1))]
    assert "nothing to set" in roost("iothreadset", "web", "3").err
    assert "Can't set 0 processors for a VM" in roost("setvcpus", "web", "0").err
    assert "one of --enable, --disable is required" in roost("setvcpu", "web", "1").err
    assert "Invalid IOThread id value: '0'" in roost("iothreadadd", "web", "0").err
