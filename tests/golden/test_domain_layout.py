"""Our layout is libvirtd's: its own dump of a document, parsed and formatted by us, comes out byte for byte."""

from __future__ import annotations

import difflib
import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.model.domain import format, parse
from support.peer import Peer, libvirt_result

GOLDEN = Path(__file__).parent / "domain"

BASE = """<domain type='qemu'><name>xmlroom-layout</name><memory>1048576</memory>%s<iothreads>5</iothreads>
<os><type arch='x86_64' machine='q35'>hvm</type></os>%s<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>%s
</devices>%s</domain>"""

#: Defines each document, prints its dump, or null where it is refused.
SCRIPT = """
connection = libvirt.open(sys.argv[1])
answers = []
for xml in json.load(open(sys.argv[2])):
    try:
        domain = connection.defineXML(xml)
        answers.append(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE))
        domain.undefine()
    except libvirt.libvirtError:
        answers.append(None)
print(json.dumps(answers))
"""

#: Pieces of the golden documents that libvirtd takes on their own: fewer would mean that the comparison has shrunk.
ENOUGH = 75


def pieces() -> Iterator[tuple[str, str]]:
    """Each section and each device of the golden documents, as a document that libvirtd may take."""
    ET.register_namespace("qemu", "http://libvirt.org/schemas/domain/qemu/1.0")
    relabel = "<seclabel type='dynamic' model='dac' relabel='yes'/>"
    for name in ("server", "windows", "minimal"):
        root = ET.parse(GOLDEN / f"{name}.xml").getroot()
        for number, section in enumerate(root):
            if section.tag not in ("name", "memory", "os", "devices", "iothreads"):
                xml = ET.tostring(section, encoding="unicode")
                parts = (xml, "", "") if section.tag == "vcpu" else ("<vcpu>4</vcpu>", xml, "")
                yield f"{name}/{section.tag}/{number}", BASE % (*parts, "")
        for number, device in enumerate(root.find("devices") or ()):
            if device.tag != "emulator":
                xml = ET.tostring(device, encoding="unicode")
                yield f"{name}/{device.tag}/{number}", BASE % ("<vcpu>4</vcpu>", "", xml, relabel)


@pytest.mark.peer
@pytest.mark.root
def test_dumps_of_libvirtd_come_back_byte_for_byte(peer: Peer, tmp_path: Path) -> None:
    named = list(pieces())
    documents = tmp_path / "documents.json"
    documents.write_text(json.dumps([xml for _, xml in named]))
    dumps = libvirt_result(SCRIPT, peer.uri, str(documents))
    compared, differences = 0, ""
    for (name, _), dump in zip(named, dumps, strict=True):
        if dump is not None:
            compared += 1
            ours = format(parse(dump))
            diff = difflib.unified_diff(dump.splitlines(True), ours.splitlines(True), f"libvirtd {name}", "roost", n=1)
            differences += "".join(diff)
    assert differences == ""
    assert compared >= ENOUGH
