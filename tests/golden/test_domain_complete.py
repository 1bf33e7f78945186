"""Documents as they are written, and what libvirt 9.0 makes of them: shown again with its defaults, or refused.

`NAME.in.xml` is defined; `NAME.out.xml` is what the definition then shows, or
`refused.json` has libvirt's error code, domain and text. Where we differ on
purpose, `differences.json` has the reason.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from roost.errors import RoostError
from roost.model.domain import format, parse
from roost.model.domain.complete import complete
from roost.model.domain.facts import MachineFacts
from support.peer import Peer, libvirt_result

DOCUMENTS = Path(__file__).with_name("domain-complete")
FACTS_FILE = Path(__file__).parents[1] / "unit" / "model" / "domain" / "facts-qemu-7.2.json"
# Recorded on a libvirtd that may not use KVM.
FACTS = msgspec.structs.replace(
    msgspec.json.decode(FACTS_FILE.read_bytes(), type=MachineFacts), virt_types=frozenset(("qemu",))
)
REFUSED: dict[str, list[Any]] = json.loads((DOCUMENTS / "refused.json").read_text())
DIFFERENCES: dict[str, dict[str, Any]] = json.loads((DOCUMENTS / "differences.json").read_text())
NAMES = sorted(path.name.removesuffix(".in.xml") for path in DOCUMENTS.glob("*.in.xml"))
ACCEPTED = [name for name in NAMES if (DOCUMENTS / f"{name}.out.xml").exists()]

# Define each document, note what is shown or the error, and undefine it again.
DEFINE_ALL = """
conn = libvirt.open(sys.argv[1])
answers = {}
for name, xml in json.load(open(sys.argv[2])).items():
    try:
        domain = conn.defineXML(xml)
        answers[name] = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
        domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
    except libvirt.libvirtError as e:
        answers[name] = [e.get_error_code(), e.get_error_domain(), e.get_error_message()]
print(json.dumps(answers))
"""


def completed(name: str) -> str:
    """Our answer, with zeros for what is random."""
    return format(complete(parse((DOCUMENTS / f"{name}.in.xml").read_text()), FACTS, entropy=bytes))


def fixed(xml: str, written: str) -> str:
    """The document without the identifiers that it was given because it had none."""
    if "<uuid>" not in written:
        xml = re.sub(r"<uuid>.*</uuid>", "", xml)
    if "<mac " not in written:
        xml = re.sub(r"<mac address='[0-9a-f:]*'/>", "", xml)
    return xml.strip()


@pytest.mark.parametrize("name", ACCEPTED)
def test_completed(name: str) -> None:
    assert completed(name) == (DOCUMENTS / f"{name}.out.xml").read_text()


@pytest.mark.parametrize("name", ACCEPTED)
def test_completing_again_changes_nothing(name: str) -> None:
    kept = (DOCUMENTS / f"{name}.out.xml").read_text()
    assert format(complete(parse(kept), FACTS)) == kept


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_refused(name: str) -> None:
    with pytest.raises(RoostError) as caught:
        completed(name)
    code, origin, text = REFUSED[name]
    assert (caught.value.code, caught.value.message[: len(text)]) == (code, text)
    assert caught.value.domain in (origin, None)


@pytest.mark.parametrize("name", sorted(name for name in DIFFERENCES if DIFFERENCES[name]["ours"] == "refused"))
def test_refused_in_our_own_way(name: str) -> None:
    with pytest.raises(RoostError):
        completed(name)


def test_every_document_is_accounted_for() -> None:
    assert set(NAMES) == set(ACCEPTED) | set(REFUSED) | set(DIFFERENCES)
    assert all(entry["why"] for entry in DIFFERENCES.values())


@pytest.mark.peer
def test_libvirt_still_says_the_same(tmp_path: Path) -> None:
    written = {name: (DOCUMENTS / f"{name}.in.xml").read_text() for name in NAMES}
    listing = tmp_path / "documents.json"
    listing.write_text(json.dumps(written))
    with Peer() as peer:
        answers = libvirt_result(DEFINE_ALL, peer.uri, str(listing))
    wrong = {}
    for name, answer in answers.items():
        if name in DIFFERENCES:
            said = answer if isinstance(answer, list) else "accepts it"
            same = said == DIFFERENCES[name]["libvirt"]
        elif name in REFUSED:
            same = answer == REFUSED[name]
        else:
            kept = (DOCUMENTS / f"{name}.out.xml").read_text()
            same = isinstance(answer, str) and fixed(answer, written[name]) == fixed(kept, written[name])
        if not same:
            wrong[name] = answer
    assert not wrong
