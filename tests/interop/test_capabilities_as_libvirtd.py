"""Capabilities and processors beside libvirtd's on the same host, asked by the same client."""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest

from roost.cli import main
from roost.model.capabilities.domain import (
    Devices,
    FeatureSections,
    format_domain_capabilities,
    parse_domain_capabilities,
)
from roost.model.capabilities.host import format_capabilities, parse_capabilities
from support.daemon import RoostDaemon
from support.peer import Peer, libvirt_result, run, virsh, virsh_ok

pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.guest]

#: What came to the document after 9.0.
NEWER_DEVICES = ("crypto", "interface", "panic", "console")
NEWER_FEATURES = ("async-teardown", "ps2", "tdx", "launchSecurity")
#: Architectures that libvirt 9.0 did not know.
NEWER_ARCHES = ("loongarch64",)

CALLS = """
connection, found = libvirt.open(sys.argv[1]), []
for method, arguments in json.load(open(sys.argv[2])):
    try:
        found.append(getattr(connection, method)(*arguments))
    except libvirt.libvirtError as error:
        found.append({"refusal": [error.get_error_code(), error.get_error_domain()], "text": error.get_error_message()})
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def daemon() -> Iterator[RoostDaemon]:
    with RoostDaemon() as made:
        yield made


Call = tuple[str, tuple[Any, ...]]
Both = Callable[[list[Call]], Iterator[tuple[Call, Any, Any]]]


@pytest.fixture
def both(peer: Peer, daemon: RoostDaemon, tmp_path: Path) -> Both:
    """Make calls to both: each with libvirtd's answer, then roostd's."""

    def ask(calls: list[Call]) -> Iterator[tuple[Call, Any, Any]]:
        path = tmp_path / "calls.json"
        path.write_text(json.dumps(calls))
        theirs, ours = (libvirt_result(CALLS, uri, str(path)) for uri in (peer.uri, daemon.uri))
        return zip(calls, theirs, ours, strict=True)

    return ask


def same(theirs: Any, ours: Any) -> bool:
    """Equal, but for the hint that ours adds to a message."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return bool(theirs["refusal"] == ours["refusal"] and ours["text"].startswith(theirs["text"]))
    return bool(theirs == ours)


def differing(answers: Iterator[tuple[Call, Any, Any]]) -> list[tuple[Call, Any, Any]]:
    return [answer for answer in answers if not same(*answer[1:])]


# -- documents ---------------------------------------------------------------------------------


def test_the_host_and_its_guests(both: Both) -> None:
    ((_, theirs, ours),) = both([("getCapabilities", ())])
    # Each daemon makes a UUID for a host whose firmware has none.
    theirs, ours = (re.sub("<uuid>.*</uuid>", "<uuid/>", text) for text in (theirs, ours))
    # The peer has no KVM to ask for the rate of the counter.
    ours = re.sub(r" *<counter .*/>\n", "", ours)
    for arch in NEWER_ARCHES:
        newer = rf"  <guest>\n    <os_type>hvm</os_type>\n    <arch name='{arch}'>.*?</guest>\n\n"
        ours = re.sub(newer, "", ours, flags=re.DOTALL)
    assert ours == theirs


def installed(uri: str) -> list[tuple[str, str]]:
    """(architecture, machine) for each of the host's emulators: the default one, and a few of the others."""
    document = parse_capabilities(virsh_ok(uri, "capabilities"))
    found = []
    for guest in document.guests:
        names = [machine.name for machine in guest.arch.machines]
        wanted = [name for name in ("pc", "q35", "microvm", "isapc", "virt", "pseries", "sifive_u") if name in names]
        found += [(guest.arch.name, name) for name in dict.fromkeys((names[0], *wanted))]
    return found


def without_newer(text: str) -> str:
    """A document as 9.0 would have written it."""
    root = ElementTree.fromstring(text)
    for parent, names in (("devices", NEWER_DEVICES), ("features", NEWER_FEATURES)):
        holder = root.find(parent)
        assert holder is not None
        for name in names:
            for element in holder.findall(name):
                holder.remove(element)
    return format_domain_capabilities(parse_domain_capabilities(ElementTree.tostring(root)))


def test_what_guests_may_have(peer: Peer, both: Both) -> None:
    calls: list[Call] = [
        ("getDomainCapabilities", (None, arch, machine, "qemu", 0)) for arch, machine in installed(peer.uri)
    ]
    calls.append(("getDomainCapabilities", (None, None, None, None, 0)))
    wrong = [call for call, theirs, ours in both(calls) if without_newer(ours) != without_newer(theirs)]
    assert not wrong


def test_choices_that_are_refused(both: Both) -> None:
    calls: list[Call] = [
        ("getDomainCapabilities", arguments)
        for arguments in (
            (None, None, None, "foo", 0),
            (None, "foo", None, None, 0),
            (None, None, "foo", None, 0),
            (None, None, None, "xen", 0),
            (None, "sparc64", None, None, 0),
            ("/usr/bin/qemu-system-x86_64", "aarch64", None, None, 0),
            ("/no/such/qemu", None, None, None, 0),
            (None, None, None, None, 1 << 30),
        )
    ]
    assert not differing(both(calls))


def test_documents_are_read_and_written_alike(peer: Peer) -> None:
    text = virsh_ok(peer.uri, "capabilities")
    # libvirt sets parts apart with empty lines.
    assert format_capabilities(parse_capabilities(text)) == text.replace("\n\n", "\n").rstrip("\n") + "\n"
    text = virsh_ok(peer.uri, "domcapabilities")
    assert format_domain_capabilities(parse_domain_capabilities(text)) == text.rstrip("\n") + "\n"


def test_features_of_the_host_model_can_be_written_out(daemon: RoostDaemon) -> None:
    code = "print(json.dumps(libvirt.open(sys.argv[1]).getDomainCapabilities(None, None, None, None, 2)))"
    expanded = parse_domain_capabilities(libvirt_result(code, daemon.uri)).host_model()
    plain = parse_domain_capabilities(virsh_ok(daemon.uri, "domcapabilities")).host_model()
    assert expanded is not None
    assert plain is not None
    assert expanded.name == plain.name
    assert {feature.name for feature in plain.features} < {feature.name for feature in expanded.features}


def test_all_sections_are_there(daemon: RoostDaemon) -> None:
    found = parse_domain_capabilities(virsh_ok(daemon.uri, "domcapabilities"))
    # Those that no guest of this driver can have are left out.
    assert set(Devices.__struct_fields__) - {"interface", "console"} == {
        name for name in Devices.__struct_fields__ if getattr(found.devices, name) is not None
    }
    left_out = {"s390_pv", "ps2"}
    assert set(FeatureSections.__struct_fields__) - left_out == {
        name for name in FeatureSections.__struct_fields__ if getattr(found.features, name) is not None
    }


# -- processors --------------------------------------------------------------------------------


def host(model: str, *features: str, vendor: str = "") -> str:
    named = f"<vendor>{vendor}</vendor>" if vendor else ""
    inside = "".join(f"<feature name='{name}'/>" for name in features)
    return f"<cpu><arch>x86_64</arch><model>{model}</model>{named}{inside}</cpu>"


def guest(model: str, *features: str, attributes: str = "", vendor: str = "") -> str:
    named = f"<vendor>{vendor}</vendor>" if vendor else ""
    pairs = [feature.split(":") for feature in features]
    inside = "".join(f"<feature policy='{policy}' name='{name}'/>" for policy, name in pairs)
    return f"<cpu {attributes}><model>{model}</model>{named}{inside}</cpu>"


GUESTS = [
    guest("kvm64"),
    guest("kvm64", attributes="match='strict'"),
    guest("kvm64", attributes="match='minimum'"),
    guest("kvm64", "forbid:aes"),
    guest("kvm64", "forbid:xop", "require:aes"),
    guest("kvm64", "disable:lm"),
    guest("Haswell", "optional:hle", "optional:rtm"),
    guest("Haswell", "force:hle", "force:rtm", "optional:tsx-ctrl"),
    guest("EPYC", "disable:monitor", "optional:svm"),
    guest("EPYC", vendor="Intel"),
    guest("EPYC", vendor="AMD"),
    guest("nosuch"),
    guest("kvm64", "require:foo"),
    "<cpu mode='host-model'/>",
    "<cpu mode='host-passthrough'/>",
    "<cpu mode='host-passthrough' migratable='off'><feature policy='disable' name='svm'/></cpu>",
    "<cpu mode='maximum'/>",
    "<cpu/>",
]
REFUSED = [
    "<cpu mode='bad'/>",
    "<cpu><arch>foo</arch><model>x</model></cpu>",
    "<cpu><arch>x86_64</arch></cpu>",
    "<cpu match='exact'><arch>x86_64</arch><model>x</model></cpu>",
    "<cpu><feature name='aes'/></cpu>",
    "<cpu><vendor>AMD</vendor></cpu>",
    host("kvm64", "aes", "aes"),
    guest("kvm64", "bad:aes"),
    "<cpu migratable='on'><model>kvm64</model></cpu>",
    "<cpu mode='custom'><arch>x86_64</arch><model>kvm64</model></cpu>",
]


def host_documents(uri: str) -> list[str]:
    """The host's own, every model, and some with features added and vendors named."""
    own = ElementTree.fromstring(virsh_ok(uri, "capabilities")).find("host/cpu")
    assert own is not None
    models = virsh_ok(uri, "cpu-models", "x86_64").split()
    return [
        ElementTree.tostring(own, encoding="unicode"),
        *map(host, models),
        *(
            host(m, "aes", "invtsc", "xsaves", vendor=v)
            for m in ("Penryn", "EPYC", "kvm64")
            for v in ("Intel", "AMD", "Foo")
        ),
    ]


def test_names(both: Both) -> None:
    calls: list[Call] = [
        ("getCPUModelNames", (arch, 0)) for arch in ("x86_64", "i686", "aarch64", "ppc64", "alpha", "vax")
    ]
    assert not differing(both(calls))


def test_compare(peer: Peer, both: Both) -> None:
    documents = [*host_documents(peer.uri), *GUESTS, *REFUSED]
    calls: list[Call] = [("compareCPU", (document, flags)) for document in documents for flags in (0, 1)]
    assert len(calls) > 80
    assert not differing(both(calls))


def test_baseline(peer: Peer, both: Both) -> None:
    documents = host_documents(peer.uri)
    chance = random.Random(4)
    calls: list[Call] = [("baselineCPU", ([document], flags)) for document in documents for flags in (0, 1, 2, 3)]
    calls += [
        ("baselineCPU", (chance.sample(documents, chance.choice((2, 2, 3))), chance.choice((0, 1, 2))))
        for _ in range(80)
    ]
    calls.append(("baselineCPU", (["<cpu><model>Penryn</model></cpu>"], 0)))
    assert not differing(both(calls))


def test_compare_with_the_hypervisor(peer: Peer, both: Both) -> None:
    documents = [*host_documents(peer.uri), *GUESTS, *REFUSED]
    calls: list[Call] = [
        ("compareHypervisorCPU", (None, "x86_64", "q35", "qemu", document, flags))
        for document in documents
        for flags in (0, 1)
    ]
    calls += [
        ("compareHypervisorCPU", (None, None, None, "foo", GUESTS[0], 0)),
        ("compareHypervisorCPU", (None, "aarch64", None, None, GUESTS[0], 0)),
    ]
    assert not differing(both(calls))


def test_baseline_with_the_hypervisor(peer: Peer, both: Both) -> None:
    documents = [*host_documents(peer.uri), guest("Haswell", "disable:rtm"), guest("nosuch"), "<cpu/>"]
    chance = random.Random(5)
    calls: list[Call] = [
        ("baselineHypervisorCPU", (None, "x86_64", None, "qemu", [document], flags))
        for document in documents
        for flags in (0, 1, 2, 3)
    ]
    calls += [
        ("baselineHypervisorCPU", (None, None, None, None, chance.sample(documents, 2), chance.choice((0, 2))))
        for _ in range(40)
    ]
    calls.append(("baselineHypervisorCPU", (None, "aarch64", None, None, [guest("cortex-a57")], 0)))
    assert not differing(both(calls))


# -- running guests ----------------------------------------------------------------------------

PROCESSORS = {
    "default": "",
    "layout": "<cpu><topology sockets='1' cores='1' threads='1'/></cpu>",
    "model": "<cpu><model>Penryn</model><feature name='aes'/><feature name='vmx' policy='optional'/></cpu>",
    "more-than-here": "<cpu><model>Cascadelake-Server</model></cpu>",
    "removed": "<cpu><model>EPYC</model></cpu>",
    "old": "<cpu><model>cpu64-rhel6</model></cpu>",
    "old-only": "<cpu><model fallback='forbid'>cpu64-rhel6</model></cpu>",
    "minimum": "<cpu match='minimum'><model>Penryn</model></cpu>",
    "host-model": "<cpu mode='host-model'/>",
    "host-model-less": "<cpu mode='host-model' check='none'><feature name='pku' policy='disable'/></cpu>",
    "host-passthrough": "<cpu mode='host-passthrough'/>",
    "maximum": "<cpu mode='maximum'/>",
    "maximum-full": "<cpu mode='maximum' check='full'><feature name='svm' policy='disable'/></cpu>",
    "partial": "<cpu check='partial'><model>Haswell</model></cpu>",
    "full": "<cpu check='full'><model>Haswell</model></cpu>",
    "forbidden": "<cpu check='partial'><model>Penryn</model><feature policy='forbid' name='svm'/></cpu>",
    "clock": "<cpu><model>Penryn</model><feature name='invtsc'/></cpu>",
    "unknown": "<cpu><model>foo</model></cpu>",
    "unknown-feature": "<cpu><model>Penryn</model><feature name='foo'/></cpu>",
}


class Shown(NamedTuple):
    """What a definition and its guest show of the processor; or the words that refuse to.

    updated: the definition as this host would run it.
    """

    defined: str
    updated: str
    live: str


def processor_in(text: str) -> str:
    found = ElementTree.fromstring(text).find("cpu")
    return "" if found is None else re.sub(r">\s+<", "><", ElementTree.tostring(found, encoding="unicode")).strip()


def start(uri: str, name: str, cpu: str, directory: Path) -> Shown:
    path = directory / f"{name}.xml"
    path.write_text(
        f"<domain type='qemu'><name>{name}</name><memory unit='MiB'>16</memory>"
        f"<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>{cpu}</domain>"
    )
    virsh_ok(uri, "define", str(path))
    try:
        defined = processor_in(virsh_ok(uri, "dumpxml", name))
        shown = virsh(uri, "dumpxml", "--update-cpu", name)
        updated = processor_in(shown.stdout) if shown.ok else shown.stderr
        started = virsh(uri, "start", "--paused", name)
        live = processor_in(virsh_ok(uri, "dumpxml", name)) if started.ok else started.stderr.partition("\n")[2]
        assert processor_in(virsh_ok(uri, "dumpxml", "--inactive", name)) == defined
        return Shown(defined, updated, live)
    finally:
        virsh(uri, "destroy", name)
        virsh(uri, "undefine", name)


@pytest.mark.parametrize("kind", PROCESSORS)
def test_a_running_guest_shows_its_processor(peer: Peer, daemon: RoostDaemon, tmp_path: Path, kind: str) -> None:
    theirs, ours = (start(uri, f"cpu-{kind}", PROCESSORS[kind], tmp_path) for uri in (peer.uri, daemon.uri))
    assert ours.defined == theirs.defined
    assert ours.updated.startswith(theirs.updated.strip())
    assert ours.live.startswith(theirs.live.strip())


# -- commands ----------------------------------------------------------------------------------

COMMANDS = """
cpu-models x86_64
cpu-compare {guest}
cpu-compare {guest} --error
cpu-compare {other}
cpu-compare {other} --error
cpu-compare {capabilities}
cpu-compare {domcapabilities}
cpu-compare {domain}
cpu-compare {empty}
cpu-compare /proc/nonexistent
cpu-compare
cpu-baseline {several}
cpu-baseline {several} --features
cpu-baseline {several} --migratable
cpu-baseline {guest}
cpu-baseline {capabilities} --features --migratable
hypervisor-cpu-compare {guest}
hypervisor-cpu-compare {other} --error --virttype qemu --arch x86_64
hypervisor-cpu-compare {domcapabilities} --machine q35
hypervisor-cpu-compare {guest} --virttype foo
hypervisor-cpu-baseline {several} --features
hypervisor-cpu-baseline --file {several} --migratable
hypervisor-cpu-baseline --model Haswell
hypervisor-cpu-baseline --model nosuch
hypervisor-cpu-baseline
hypervisor-cpu-baseline {several} --model Haswell
domcapabilities --machine nosuch
"""


@pytest.fixture(scope="module")
def files(peer: Peer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Files for the commands, by name."""
    directory = tmp_path_factory.mktemp("processors")
    texts = {
        "guest": guest("kvm64", "require:aes"),
        "other": "<?xml version='1.0'?>" + guest("Haswell", "require:xop"),
        "several": host("Haswell", "invtsc") + "\n" + host("SandyBridge"),
        "capabilities": virsh_ok(peer.uri, "capabilities"),
        "domcapabilities": virsh_ok(peer.uri, "domcapabilities"),
        "domain": f"<domain><name>x</name>{guest('kvm64')}</domain>",
        "empty": "<domain><cpus/></domain>",
    }
    for name, text in texts.items():
        (directory / name).write_text(text)
    return {name: str(directory / name) for name in texts}


@pytest.mark.parametrize("words", [line for line in COMMANDS.splitlines() if line])
def test_commands_as_virsh_has_them(
    peer: Peer, files: dict[str, str], capfd: pytest.CaptureFixture[str], words: str
) -> None:
    command = ["-c", peer.uri, *(word.format(**files) for word in words.split())]
    theirs: subprocess.CompletedProcess[str] = run(["virsh", *command])
    capfd.readouterr()
    code = main(command)
    ours = capfd.readouterr()
    assert (code, ours.out, ours.err) == (theirs.returncode, theirs.stdout, theirs.stderr)
