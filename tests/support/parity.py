"""Documents as users write them, and what libvirt 9.0 makes of each, kept in tests/golden/parity.

In each family's directory:

    NAME.xml            what is defined
    NAME.kept.xml       what `dumpxml --inactive` then shows
    NAME.args           what `domxml-to-native` makes of it, as of `native.comparable`
    refused.json        {NAME: [code, domain, message]} of documents that `define` refuses
    untranslated.json   {NAME: [code, domain, message]} of those that it accepts and does not translate on this host
    differences.json    where we differ on purpose, and why:
                        {NAME: {"libvirt": its answer, "ours": "accepted" | "refused", "why": …}} for `define`,
                        {NAME: {"kept": [[its lines, our lines], …], "why": …}} for what is shown,
                        {NAME: {"args": [[its lines, our lines], …], "why": …}} for the command line;
                        "args" may be "refused": QEMU would refuse it too, and so do we, in better words

`python -m support.parity record FAMILY[/NAME]…` asks libvirtd and writes all but the first and last;
`python -m support.parity show FAMILY[/NAME]…` prints where we differ from what is kept.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from roost.drivers.qemu import plan
from roost.drivers.qemu.capabilities import GuestProcessors
from roost.drivers.qemu.guest_cpu import with_processor
from roost.drivers.qemu.live import make_live
from roost.errors import RoostError
from roost.model.domain import Domain, format, parse
from roost.model.domain.complete import complete
from roost.model.domain.firmware import with_firmware
from support import machines, native
from support.peer import Peer, libvirt_result

ROOT = Path(__file__).parents[1] / "golden" / "parity"

#: Where the peer has huge pages, by their size in KiB; 0 for its default.
_PAGES = {0: "2M", 2048: "2M", 1048576: "1G"}
#: What a document has whose translation damages the memory of libvirtd 9.0, which ends a few documents later.
UNSOUND = re.compile("<interface type=['\"]hostdev")
#: code, domain, message
Refusal = list[Any]

# Define each document, note what is shown or the error, translate it, and undefine it again.
_ASK = """
def error(e):
    return [e.get_error_code(), e.get_error_domain(), e.get_error_message()]

conn = libvirt.open(sys.argv[1])
answers = {}
for name, xml in json.load(open(sys.argv[2])).items():
    answer = answers[name] = {}
    try:
        domain = conn.defineXML(xml)
    except libvirt.libvirtError as e:
        answer["refused"] = error(e)
        continue
    try:
        shown = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
        answer["kept"] = shown
        if name not in json.loads(sys.argv[3]):
            answer["native"] = conn.domainXMLToNative("qemu-argv", xml, 0)
    except libvirt.libvirtError as e:
        answer["untranslated"] = error(e)
    domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
print(json.dumps(answers))
"""


class Answer(NamedTuple):
    """What libvirtd says of a document. kept: what it shows. args: its command line, of `native.comparable`."""

    refused: Refusal | None = None
    kept: str | None = None
    args: list[str] | None = None
    untranslated: Refusal | None = None


class Case(NamedTuple):
    """One document of the corpus."""

    family: str
    name: str

    def __str__(self) -> str:
        return f"{self.family}/{self.name}"

    def file(self, ending: str) -> Path:
        return ROOT / self.family / f"{self.name}{ending}"

    def written(self) -> str:
        """The document as a user writes it."""
        return self.file(".xml").read_text()

    def recorded(self) -> Answer:
        """What libvirt answered when it was asked."""
        kept, args = self.file(".kept.xml"), self.file(".args")
        return Answer(
            listed(self.family, "refused").get(self.name),
            kept.read_text() if kept.exists() else None,
            args.read_text().splitlines() if args.exists() else None,
            listed(self.family, "untranslated").get(self.name),
        )

    def difference(self) -> dict[str, Any]:
        """Where we differ on purpose; empty where we do not."""
        found: dict[str, Any] = listed(self.family, "differences").get(self.name, {})
        return found


def listed(family: str, what: str) -> dict[str, Any]:
    """One of a family's lists: refused, untranslated, differences."""
    path = ROOT / family / f"{what}.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def cases(*wanted: str) -> list[Case]:
    """The documents of the families or of the FAMILY/NAMEs given, or all."""
    found = [Case(path.parent.name, path.name.removesuffix(".xml")) for path in sorted(ROOT.glob("*/*.xml"))]
    return [
        case
        for case in found
        if not case.name.endswith(".kept") and (not wanted or case.family in wanted or str(case) in wanted)
    ]


# -- ours ------------------------------------------------------------------------------------


def completed(xml: str) -> Domain:
    """The document as we keep it, with zeros for what is random, on a host without KVM, as the peer's is."""
    document = parse(xml)
    return complete(document, machines.facts(emulated(document), "qemu"), entropy=bytes)


def emulated(document: Domain) -> str:
    """The architecture of the emulator that would run it."""
    named = (document.devices.emulator or "").rpartition("/qemu-system-")[2].replace("i386", "i686")
    return named if named in machines.ARCHES else document.os.arch or "x86_64"


def our_args(document: Domain) -> list[str]:
    """Our command line for a completed document, as of `native.comparable`."""
    caps = machines.capabilities(emulated(document))
    document = with_processor(document, caps, GuestProcessors(caps, document.type, None), "x86_64")
    if document.os.firmware is not None:
        nvram = f"/var/lib/libvirt/qemu/nvram/{document.name}_VARS.fd"
        document = with_firmware(document, machines.firmwares(), nvram=nvram)
    # libvirt's own directory for the sockets of a domain that does not run.
    channels = Path(f"/var/lib/libvirt/qemu/channel/target/domain--1-{document.name[:20]}")
    pages = {size: f"/run/libvirt/huge{name}/libvirt/qemu/-1-{document.name[:20]}" for size, name in _PAGES.items()}
    grants = plan.Grants(directory=f"/var/lib/libvirt/qemu/domain--1-{document.name[:20]}", pages=pages)
    return native.comparable(plan.argv(make_live(document, -1, channels), caps, grants).argv)


def replaced(lines: Iterable[str], pairs: Iterable[tuple[list[str], list[str]]]) -> list[str]:
    """`lines` with libvirt's lines of each pair taken out and ours put in; all of them must be there."""
    left = list(lines)
    for theirs, ours in pairs:
        for line in theirs:
            left.remove(line)
        left += ours
    return left


# -- libvirt's -------------------------------------------------------------------------------

# The environment and the counted names that a program was called with.
_CHILD = re.compile(r"Child process \(.*?\)")


def ask(wanted: Iterable[Case], peer: Peer) -> dict[Case, Answer]:
    """What libvirtd says now."""
    chosen = {str(case): case for case in wanted if not _harmful(case)}
    unsound = [name for name, case in chosen.items() if UNSOUND.search(case.written())]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({name: case.written() for name, case in chosen.items()}, file)
        file.flush()
        answers = libvirt_result(_ASK, peer.uri, file.name, json.dumps(unsound))
    found = {}
    for name, answer in answers.items():
        text = answer.pop("native", None)
        args = native.comparable(native.words_of(text)) if text else None
        for what in ("refused", "untranslated"):
            if what in answer:
                answer[what][2] = _CHILD.sub("Child process (...)", answer[what][2])
        if name in unsound:
            _, _, args, answer["untranslated"] = chosen[name].recorded()
        found[chosen[name]] = Answer(**answer, args=args)
    return found


def _harmful(case: Case) -> bool:
    """Whether libvirtd 9.0 writes behind the cells of its own memory when it refuses this one's distances."""
    return "<distances" in case.written() and case.recorded().refused is not None


def without_chance(text: str, written: str) -> str:
    """A document or command line without the identifiers that it was given because it had none."""
    if "<uuid>" not in written:
        text = re.sub(r"<uuid>.*</uuid>", "", text)
        text = re.sub(r"^(-uuid|-smbios type=1.*uuid=).*$", r"\1", text, flags=re.M)
    if "<mac " not in written:
        text = re.sub(r"<mac address='[0-9a-f:]*'/>", "", text)
    return text.strip()


def record(wanted: list[Case]) -> None:
    """Ask libvirtd and keep its answers."""
    with Peer() as peer:
        answers = ask(wanted, peer)
    for case, answer in answers.items():
        for ending, text in (
            (".kept.xml", answer.kept and zeroed(answer.kept, case.written())),
            (".args", answer.args and zeroed("\n".join(answer.args) + "\n", case.written())),
        ):
            if text:
                case.file(ending).write_text(text)
            else:
                case.file(ending).unlink(missing_ok=True)
        for what, value in (("refused", answer.refused), ("untranslated", answer.untranslated)):
            entries = listed(case.family, what)
            if value is not None:
                entries[case.name] = value
            elif entries.pop(case.name, None) is None:
                continue
            text = json.dumps(entries, indent=1, sort_keys=True) + "\n"
            (ROOT / case.family / f"{what}.json").write_text(text)


def zeroed(text: str, written: str) -> str:
    """The same with the identifiers that `completed` makes of no entropy."""
    if "<uuid>" not in written:
        made = format(completed_identity())
        uuid = re.search(r"<uuid>(.*)</uuid>", made)
        assert uuid is not None
        given = re.search(r"<uuid>(.*)</uuid>", text) or re.search(r"^-uuid (.*)$", text, flags=re.M)
        if given is not None:
            text = text.replace(given[1], uuid[1])
    if "<mac " not in written:
        text = re.sub(r"<mac address='[0-9a-f:]*'/>", "<mac address='52:54:00:00:00:00'/>", text)
    return text


def completed_identity() -> Domain:
    """The least document, completed without entropy."""
    return completed(
        "<domain type='qemu'><name>x</name><memory>1024</memory><os><type machine='pc'>hvm</type></os></domain>"
    )


def differences(case: Case) -> Iterator[str]:
    """How our answer differs from what is kept, in lines to read."""
    theirs, known = case.recorded(), case.difference()
    try:
        document = completed(case.written())
        kept, refused = format(document), None
    except RoostError as error:
        document, kept, refused = None, None, error
    if refused is not None:
        if known.get("ours") == "refused":
            return
        if theirs.refused is None:
            yield f"we refuse it: {refused.code} {refused.message}"
        elif [refused.code, refused.message[: len(theirs.refused[2])]] != [theirs.refused[0], theirs.refused[2]]:
            yield f"libvirt: {theirs.refused}"
            yield f"ours:    [{refused.code}, {refused.domain}, {refused.message!r}]"
        return
    if theirs.refused is not None:
        if known.get("ours") != "accepted":
            yield f"libvirt refuses it: {theirs.refused}"
        return
    assert kept is not None
    assert document is not None
    if theirs.kept is not None:
        wanted = theirs.kept
        for before, after in known.get("kept", ()):
            wanted = wanted.replace("\n".join(before), "\n".join(after))
        yield from difflib.unified_diff(wanted.splitlines(), kept.splitlines(), "libvirt", "ours", lineterm="", n=1)
    if theirs.args is not None:
        try:
            ours = our_args(document)
        except RoostError as error:
            if known.get("args") == "refused":
                return
            yield f"we do not translate it: {error.code} {error.message}"
            return
        lines = theirs.args
        with contextlib.suppress(ValueError):
            lines = replaced(lines, known.get("args", ()))
        yield from (f"libvirt: {line}" for line in lines if line not in ours)
        yield from (f"ours:    {line}" for line in ours if line not in lines)
        if sorted(lines) == sorted(ours) and native.devices_in_order(lines) != native.devices_in_order(ours):
            yield "the order of devices differs"


def main(words: list[str]) -> int:
    """`record` or `show`, and for what."""
    command, *wanted = words
    chosen = cases(*(word.removesuffix(".xml") for word in wanted))
    if command == "record":
        record(chosen)
    wrong = 0
    for case in chosen:
        lines = list(differences(case))
        wrong += bool(lines)
        if lines:
            print(f"--- {case}", *lines, sep="\n")
    print(f"{len(chosen)} documents, {wrong} differ")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
