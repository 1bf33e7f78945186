"""Documents other than domains as users write them, and what libvirt 9.0 makes of each: tests/golden/documents.

In each kind's directory:

    NAME.xml            what is defined
    NAME.kept.xml       what libvirt then shows
    refused.json        {NAME: [code, domain, message]} of documents that it refuses
    differences.json    {NAME: {"why": …}} of documents that libvirt 9.0 cannot be asked about or answers differently on
                        purpose; what we keep of them is in NAME.kept.xml, or with "ours": "refused" they are refused

`python -m support.documents record KIND[/NAME]…` asks libvirtd and writes the second and third; of documents in
differences.json it writes what we make of them. `python -m support.documents show KIND[/NAME]…` prints where we
differ from what is kept.
"""

from __future__ import annotations

import difflib
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from roost.errors import RoostError, XmlInvalidSchema
from roost.model import interface, network, nodedev, nwfilter
from support import moment_documents, storage_documents
from support.peer import Peer, libvirt_result

ROOT = Path(__file__).parents[1] / "golden" / "documents"
#: code, domain, message
Refusal = list[Any]
#: What is shown, or why it is refused.
Answer = str | Refusal

# `work(conn, name, xml)` is the kind's own: it returns what is shown, and leaves nothing behind.
_ASK = """
import atexit, os

conn = libvirt.open(sys.argv[1])
{work}
answers = {}
for name, xml in json.load(open(sys.argv[2])).items():
    try:
        answers[name] = work(conn, name, xml)
    except libvirt.libvirtError as e:
        answers[name] = [e.get_error_code(), e.get_error_domain(), e.get_error_message()]
print(json.dumps(answers))
"""

_NETWORK = """
def work(conn, name, xml):
    network = conn.networkDefineXML(xml)
    try:
        return network.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE)
    finally:
        network.undefine()
"""

# Networks that change nothing on the host.
_PORT = """
made = f"roost-{os.getpid()}"
networks = {
    "bridge": "<forward mode='bridge'/><bridge name='virbr0'/>",
    "direct": "<forward mode='bridge'><interface dev='ens3'/></forward>",
}
for kind, inside in networks.items():
    networks[kind] = conn.networkCreateXML(f"<network><name>{made}-{kind}</name>{inside}</network>")
    atexit.register(networks[kind].destroy)

def work(conn, name, xml):
    network = networks["direct" if "type='direct'" in xml else "bridge"]
    port = network.portCreateXML(xml, libvirt.VIR_NETWORK_PORT_CREATE_RECLAIM)
    try:
        return port.XMLDesc()
    finally:
        port.delete()
"""

# The daemon's own driver cannot define interfaces; the driver for tests in libvirt's library reads and shows them.
_INTERFACE = """
test = libvirt.open("test:///default")

def work(conn, name, xml):
    interface = test.interfaceDefineXML(xml)
    try:
        return interface.XMLDesc()
    finally:
        interface.undefine()
"""

# A device cannot be defined; libvirt's driver for tests reads those of a file.
_NODEDEV = """
import tempfile

def work(conn, name, xml):
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
        file.write("<node>" + xml + "</node>")
        file.flush()
        test = libvirt.open("test://" + file.name)
    shown = [device for device in test.listAllDevices() if device.name() != "new device"]
    return shown[0].XMLDesc()
"""

_NWFILTER = """
def work(conn, name, xml):
    filter = conn.nwfilterDefineXML(xml)
    try:
        return filter.XMLDesc()
    finally:
        filter.undefine()
"""

# An interface that is not there, and a filter without rules: nothing changes on the host.
_BINDING = """
filter = conn.nwfilterDefineXML(f"<filter name='roost-{os.getpid()}'/>")
atexit.register(filter.undefine)

def work(conn, name, xml):
    binding = conn.nwfilterBindingCreateXML(xml.replace("roost-filter", filter.name()))
    try:
        return binding.XMLDesc().replace(filter.name(), "roost-filter")
    finally:
        binding.delete()
"""


class Kind(NamedTuple):
    """A type of document.

    kept: what we keep of a text, zeros for what is random. again: the same of a
    text that was kept before. script: how libvirt is asked, None for what this one
    cannot be asked about; empty when none can.
    """

    kept: Callable[[str], str]
    again: Callable[[str], str]
    script: str


def _zeros(count: int) -> bytes:
    return bytes(count)


KINDS: dict[str, Kind] = {
    "network": Kind(
        lambda text: network.format(network.complete(network.parse(text), entropy=_zeros)),
        lambda text: network.format(network.complete(network.parse(text), validate=False)),
        _NETWORK,
    ),
    "networkport": Kind(
        lambda text: network.format_port(network.complete_port(network.parse_port(text))),
        lambda text: network.format_port(network.parse_port(text)),
        _PORT,
    ),
    "interface": Kind(
        lambda text: interface.format(interface.complete(interface.parse(text))),
        lambda text: interface.format(interface.parse(text)),
        _INTERFACE,
    ),
    "nodedev": Kind(
        lambda text: nodedev.format(nodedev.complete(nodedev.parse(text))),
        lambda text: nodedev.format(nodedev.parse(text)),
        _NODEDEV,
    ),
    "nwfilter": Kind(
        lambda text: nwfilter.format(nwfilter.complete(nwfilter.parse(text), entropy=_zeros)),
        lambda text: nwfilter.format(nwfilter.parse(text)),
        _NWFILTER,
    ),
    "nwfilterbinding": Kind(
        lambda text: nwfilter.format_binding(nwfilter.complete_binding(nwfilter.parse_binding(text))),
        lambda text: nwfilter.format_binding(nwfilter.parse_binding(text)),
        _BINDING,
    ),
} | {kind: Kind(*row) for kind, row in (storage_documents.ROWS | moment_documents.ROWS).items()}


class Case(NamedTuple):
    """One document of the corpus."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def path(self) -> Path:
        """What is defined."""
        return ROOT / self.kind / f"{self.name}.xml"

    @property
    def kept_path(self) -> Path:
        """What is shown."""
        return ROOT / self.kind / f"{self.name}.kept.xml"

    def written(self) -> str:
        """The text that is defined."""
        return self.path.read_text()

    def ours(self) -> Answer:
        """What we make of it."""
        try:
            return KINDS[self.kind].kept(self.written())
        except RoostError as error:
            return [error.code, error.domain, error.message]


def cases(kind: str) -> list[Case]:
    """The corpus of a kind."""
    paths = sorted((ROOT / kind).glob("*.xml"))
    return [Case(kind, path.stem) for path in paths if not path.name.endswith(".kept.xml")]


def listed(kind: str, what: str) -> dict[str, Any]:
    """What one of the kind's files in JSON says, by name."""
    path = ROOT / kind / f"{what}.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def without_chance(kept: str, written: str) -> str:
    """A kept document with zeros for the identifiers that the written one left out."""
    if "<uuid>" not in written:
        kept = re.sub(r"(<uuid>).*(</uuid>)", r"\g<1>00000000-0000-4000-8000-000000000000\2", kept, count=1)
    if "<mac " not in written:
        kept = re.sub(r"(<mac address=')52:54:00:[0-9a-f:]*'", r"\g<1>52:54:00:00:00:00'", kept, count=1)
    return kept


#: qemu-img measures how fast it hashes before it encrypts, and fails where others are busy too.
_BUSY = "Unable to get accurate CPU usage"


def ask(asked: Iterable[Case], peer: Peer) -> dict[Case, Answer]:
    """libvirt's answers about documents of one kind or several."""
    by_kind: dict[str, list[Case]] = {}
    for case in asked:
        by_kind.setdefault(case.kind, []).append(case)
    answers: dict[Case, Answer] = {}
    for kind, of_kind in by_kind.items():
        with tempfile.NamedTemporaryFile("w", suffix=".json") as listing:
            json.dump({case.name: case.written() for case in of_kind}, listing)
            listing.flush()
            said = libvirt_result(_ASK.replace("{work}", KINDS[kind].script), peer.uri, listing.name)
        for case in of_kind:
            answer = said[case.name]
            if answer is None or (not isinstance(answer, str) and _BUSY in answer[2]):
                continue
            if answer[0] == XmlInvalidSchema.code:
                # Why, libxml2 says in its own words, and we in ours.
                answer[2] = answer[2].partition(": ")[0] + ": "
            answers[case] = without_chance(answer, case.written()) if isinstance(answer, str) else answer
    return answers


def agree(ours: Answer, theirs: Answer) -> bool:
    """Whether two answers are the same; our messages may go on with a hint."""
    if isinstance(ours, str) or isinstance(theirs, str):
        return ours == theirs
    return ours[:2] == theirs[:2] and str(ours[2]).startswith(theirs[2])


def _record(asked: list[Case]) -> None:
    for kind in {case.kind for case in asked}:
        known, refused = listed(kind, "differences"), listed(kind, "refused")
        of_kind = [case for case in asked if case.kind == kind]
        open_to_ask = [case for case in of_kind if case.name not in known and KINDS[kind].script]
        answers: dict[Case, Answer] = {}
        if open_to_ask:
            with Peer() as peer:
                answers = ask(open_to_ask, peer)
        for case in of_kind:
            answer = answers.get(case) or case.ours()
            refused.pop(case.name, None)
            case.kept_path.unlink(missing_ok=True)
            if isinstance(answer, str):
                case.kept_path.write_text(answer)
            elif case in answers:
                refused[case.name] = answer
        names = {case.name for case in cases(kind)}
        ordered = {name: refused[name] for name in sorted(refused) if name in names}
        (ROOT / kind / "refused.json").write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n")


def _show(asked: list[Case]) -> int:
    wrong = 0
    for case in asked:
        ours = case.ours()
        theirs = case.kept_path.read_text() if case.kept_path.exists() else listed(case.kind, "refused").get(case.name)
        if theirs is None or agree(ours, theirs):
            continue
        wrong += 1
        print(f"=== {case}")
        if isinstance(ours, str) and isinstance(theirs, str):
            print("\n".join(difflib.unified_diff(theirs.splitlines(), ours.splitlines(), "theirs", "ours", n=1)))
        else:
            print(f"theirs: {theirs}\nours:   {ours}")
    return wrong


def main(words: list[str]) -> int:
    """The module as a program."""
    what, *names = words
    asked = []
    for word in names or list(KINDS):
        kind, _, name = word.partition("/")
        asked += [case for case in cases(kind) if name in ("", case.name)]
    if what == "record":
        _record(asked)
    return 1 if _show(asked) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
