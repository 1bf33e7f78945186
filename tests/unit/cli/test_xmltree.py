"""The small XML tree."""

from __future__ import annotations

from roost.cli.xmltree import parse

DOCUMENT = """<domain id='1'>
  <name>web &amp; more</name>
  <devices>
    <disk type='file'><source file='/a'/><target dev='vda'/></disk>
    <disk type='block'><target dev='vdb'/></disk>
  </devices>
</domain>"""


def test_walking() -> None:
    root = parse(DOCUMENT)
    assert (root.name, root.attributes) == ("domain", {"id": "1"})
    assert [disk.attributes["type"] for disk in root.all("devices/disk")] == ["file", "block"]
    assert next(root.all("name")).text == "web & more"
    assert list(root.all("nothing/here")) == []


def test_attributes() -> None:
    root = parse(DOCUMENT)
    assert root.attribute("", "id") == "1"
    assert root.attribute("devices/disk/target", "dev") == "vda"
    assert root.attribute("devices/disk/source", "dev") is None
    assert root.attribute("devices/disk/source", "dev", "file") == "/a"
    assert root.first("devices/disk/backingStore") is None
