"""Rules that refuse a document. The golden documents show most; here are the rest, and proof that none is left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from roost.errors import ConfigUnsupported, RoostError
from roost.model.domain import Domain, parse
from roost.model.domain.complete import complete
from roost.model.domain.device import DriveAddress
from roost.model.domain.facts import MachineFacts
from roost.model.domain.validate import check, rules_and_subjects
from roost.model.domain.validate.rules import Context, Rule, Rules
from support import machines, parity, platforms, resources

FACTS = machines.facts()


def domain(devices: str = "", clock: str = "", machine: str = "pc") -> str:
    return (
        "<domain type='qemu'><name>g</name><memory>1024</memory>"
        f"<os><type machine='{machine}'>hvm</type></os>{clock}<devices>{devices}</devices></domain>"
    )


def nic(rest: str, kind: str = "user") -> str:
    return f"<interface type='{kind}'><model type='e1000'/>{rest}</interface>"


DISK = "<disk type='file'><driver name='qemu' {0}='on'/><source file='/x'/><target dev='hda' bus='ide'/></disk>"
SERIAL = "<video><driver {0}='on'/><model type='vga'/></video>"

REFUSED = [
    *((DISK.format(option), f"{option} ") for option in ("ats", "packed", "page_per_vq")),
    *((nic(f"<driver {option}='on'/>"), f"{option} ") for option in ("ats", "packed", "page_per_vq")),
    *((SERIAL.format(option), f"{option} ") for option in ("ats", "packed", "page_per_vq")),
    (
        nic("<teaming type='persistent' persistent='x'/>"),
        "teaming persistent attribute not allowed if teaming type is 'persistent'",
    ),
    (
        "<interface type='bridge'><source bridge='b'/><backend type='passt'/></interface>",
        "The 'passt' backend can only be used with interface type='user'",
    ),
    (
        "<interface type='user'><backend type='passt'/><portForward proto='tcp'><range to='22'/></portForward>"
        "</interface>",
        "The 'range' of a 'portForward' requires 'start' attribute",
    ),
    (
        "<graphics type='dbus' p2p='yes'><audio id='1'/></graphics><audio id='1' type='none'/>",
        "The associated audio is not of 'dbus' kind.",
    ),
]  # fmt: skip

OPTIONAL_TYPES = frozenset(
    (
        "vhost-scsi", "vfio-pci", "usb-redir", "ccid-card-emulated", "ccid-card-passthru", "usb-audio",
        "ich9-intel-hda", "virtio-sound-pci",
        "vhost-user-fs-device", "pr-manager-helper",
    )
)  # fmt: skip
_THROTTLED = (
    "<disk type='file' device='disk'><source file='/a'/><target dev='vda'/><throttlefilters>"
    "<throttlefilter group='slow'/></throttlefilters>{}</disk>"
)
#: What libvirt 9.0 knows nothing of, and why it is refused.
NEWER = [
    (_THROTTLED.format(""), "throttle group of disk 'vda' not found"),
    (_THROTTLED.format("<iotune><total_bytes_sec>1</total_bytes_sec></iotune>"),
     "block 'throttlefilters' can't be used together with 'iotune'"),
]  # fmt: skip


@pytest.mark.parametrize(("device", "message"), NEWER)
def test_what_is_newer_is_checked_too(device: str, message: str) -> None:
    with pytest.raises(ConfigUnsupported) as caught:
        complete(parse(domain(device)), FACTS)
    assert caught.value.message.startswith(f"unsupported configuration: {message}")


#: Devices of which this QEMU may lack the emulation, and what is said then.
OPTIONAL = [
    ("<hostdev type='scsi_host'><source protocol='vhost' wwpn='naa.5123456789abcde0'/></hostdev>",
     "This QEMU doesn't support vhost-scsi devices"),
    ("<hostdev type='mdev' model='vfio-pci'><source><address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/></source>"
     "</hostdev>", "VFIO PCI device assignment is not supported"),
    ("<redirdev type='null'/>", "USB redirection is not supported"),
    ("<filesystem><driver type='virtiofs'/><source dir='/a'/><target dir='b'/></filesystem>",
     "virtiofs is not supported with this QEMU binary"),
    ("<disk type='block' device='lun'><source dev='/dev/a'><reservations managed='yes'/></source><target dev='sda'/>"
     "</disk>", "reservations not supported with this QEMU binary"),
    ("<smartcard mode='host'/>", "lacks smartcard host mode support"),
    ("<smartcard mode='passthrough' type='null'/>", "lacks smartcard passthrough mode support"),
    ("<sound model='usb'/>", "usb-audio controller is not supported"),
    ("<sound model='ich9'/>", "ich9-intel-hda audio controller is not supported"),
    ("<sound model='virtio'/>", "virtio-sound controller is not supported"),
]  # fmt: skip


@pytest.mark.parametrize(("devices", "text"), REFUSED)
def test_refused(devices: str, text: str) -> None:
    with pytest.raises(RoostError) as caught:
        complete(parse(domain(devices)), FACTS)
    assert text in caught.value.message


def test_the_message_says_where_and_what_is_right() -> None:
    disks = "".join(
        f"<disk type='file'><source file='/{n}'/><target dev='hd{n}' bus='ide'/>{rest}</disk>"
        for n, rest in (("a", ""), ("b", "<readonly/>"))
    )
    with pytest.raises(
        RoostError, match=r"readonly ide disks are not supported; /domain/devices/disk\[target/@dev='hdb'\]: leave"
    ):
        complete(parse(domain(disks)), FACTS)


#: QEMU's device that is missing, the model of SCSI controller it was for.
MISSING = [
    ("lsi53c895a", "lsilogic"), ("virtio-scsi-pci", "virtio-scsi"), ("virtio-scsi-pci", "virtio-transitional"),
    ("virtio-scsi-pci", "virtio-non-transitional"), ("mptsas1068", "lsisas1068"), ("megasas", "lsisas1078"),
    ("pvscsi", "vmpvscsi"),
]  # fmt: skip


@pytest.mark.parametrize(("device", "model"), MISSING)
def test_a_controller_that_this_qemu_lacks(device: str, model: str) -> None:
    xml = domain(f"<controller type='scsi' index='0' model='{model}'/>")
    complete(parse(xml), FACTS)
    with pytest.raises(RoostError, match="This QEMU doesn't support"):
        complete(parse(xml), replace(FACTS, devices=FACTS.devices - {device}))


@pytest.mark.parametrize(("device", "text"), OPTIONAL)
def test_a_device_that_this_qemu_lacks(device: str, text: str) -> None:
    done = complete(parse(domain(device)), FACTS, validate=False)
    with pytest.raises(RoostError) as caught:
        check(done, replace(FACTS, devices=FACTS.devices - OPTIONAL_TYPES))
    assert text in caught.value.message


def test_no_card_to_choose() -> None:
    without = replace(FACTS, devices=FACTS.devices - {"cirrus-vga", "VGA"})
    with pytest.raises(RoostError, match="missing video model and cannot determine default"):
        complete(parse(domain("<graphics type='vnc'/>")), without)


def test_an_architecture_that_the_emulator_lacks() -> None:
    xml = domain().replace("machine='pc'", "arch='aarch64' machine='virt'")
    with pytest.raises(RoostError, match="does not support arch 'aarch64'"):
        complete(parse(xml), FACTS)
    done = complete(parse(domain()), FACTS)
    with pytest.raises(RoostError, match="does not support arch 'sparc'"):
        check(replace(done, os=replace(done.os, arch="sparc")), FACTS)


def test_timers_of_other_architectures() -> None:
    done = complete(parse(domain(clock="<clock offset='utc'><timer name='tsc' present='yes'/></clock>")), FACTS)
    arm = replace(done, os=replace(done.os, arch="aarch64"))
    with pytest.raises(RoostError, match="Configuring the 'tsc' timer is not supported"):
        check(arm, replace(FACTS, arch="aarch64"))


def test_duplicates_name_both() -> None:
    done = complete(
        parse(domain("".join(f"<disk type='file'><source file='/{d}'/><target dev='hd{d}'/></disk>" for d in "ab"))),
        FACTS,
    )
    first, second = done.devices.disks
    both = (first, replace(second, address=DriveAddress()))
    with pytest.raises(RoostError, match=r"Found duplicate drive address for disk with target name 'hda'.*hdb has"):
        check(replace(done, devices=replace(done.devices, disks=both)), FACTS)


def documents() -> Iterator[tuple[Domain, MachineFacts]]:
    """Every document written to break a rule, completed without being validated."""
    texts = [case.written() for case in parity.cases()] + [domain(devices) for devices, _ in REFUSED]
    for text in texts:
        try:
            written = parse(text)
            facts = machines.facts(written.os.arch or "x86_64", "qemu")
            yield complete(written, facts, validate=False), facts
        except RoostError:
            continue
    for device, _ in NEWER:
        yield complete(parse(domain(device)), FACTS, validate=False), FACTS
    for device, _ in OPTIONAL:
        done = complete(parse(domain(device)), FACTS, validate=False)
        yield done, replace(FACTS, devices=FACTS.devices - OPTIONAL_TYPES)
    for case in (*platforms.broken(), *resources.broken()):
        yield complete(parse(case.xml), case.facts, validate=False), case.facts
    for device, model in MISSING:
        xml = domain(f"<controller type='scsi' index='0' model='{model}'/>")
        yield complete(parse(xml), FACTS), replace(FACTS, devices=FACTS.devices - {device})
    done = complete(parse(domain("<video/>", "<clock offset='utc'><timer name='tsc' present='yes'/></clock>")), FACTS)
    yield replace(done, os=replace(done.os, arch="aarch64")), replace(FACTS, virt_types=frozenset())
    card = replace(done.devices.videos[0], model=None)
    yield replace(done, devices=replace(done.devices, videos=(card,))), FACTS


def is_broken(rule: Rule, subject: Any, context: Context) -> bool:
    """Rules may rely on those before them, so a later one may fail where an earlier one already refuses."""
    try:
        return Rules(rule).broken_by(subject, context) is rule
    except AttributeError:
        return False


def test_every_rule_is_broken_by_some_document() -> None:
    left: dict[int, str] = {}
    broken: set[int] = set()
    for done, facts in documents():
        context = Context(done, facts, facts.machine(done.os.machine))
        for rules, subjects, _ in rules_and_subjects(done):
            for rule in rules:
                left.setdefault(id(rule), rule.text)
                if id(rule) not in broken and any(is_broken(rule, subject, context) for subject in subjects):
                    broken.add(id(rule))
    assert len(left) > 150
    assert not [text for number, text in left.items() if number not in broken]
