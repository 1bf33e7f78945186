"""Devices that are to be made: they have no name yet, and libvirt calls them so; compared with its own words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from roost.errors import RoostError
from roost.model.nodedev import complete, format, parse
from support.peer import Peer, libvirt_result

REFUSED: dict[str, list[Any]] = {
    "<device><capability type='drm'><type>x</type></capability></device>": [
        67, 22, "unsupported configuration: unknown drm type 'x' for 'new device'"
    ],
    "<device><name>mine</name><capability type='scsi'><host>1</host></capability></device>": [
        1, 22, "internal error: no SCSI bus ID supplied for 'new device'"
    ],
    "<device><name>mine</name></device>": [1, 22, "internal error: no device capabilities for 'new device'"],
    "<device><capability type='vdpa'/></device>": [
        1, 22, "internal error: unknown capability type '17' for 'new device'"
    ],
    "<device><capability type='scsi_generic'><char>c</char></capability></device>": [
        1, 22, "internal error: unknown capability type '11' for 'new device'"
    ],
    "<device><capability type='mdev_types'/></device>": [
        1, 22, "internal error: unknown capability type '13' for 'new device'"
    ],
    "<device><capability type='mdev'/></device>": [
        67, 22, "unsupported configuration: missing type id attribute for 'new device'"
    ],
    "<device><parent wwnn='a'>p</parent><capability type='scsi_host'/></device>": [
        27, 22, "XML error: when providing parent wwnn='a', the wwpn must also be provided"
    ],
}  # fmt: skip

DEFINE_ALL = """
conn = libvirt.open(sys.argv[1])
answers = {}
for xml in json.load(open(sys.argv[2])):
    try:
        conn.nodeDeviceDefineXML(xml)
    except libvirt.libvirtError as e:
        answers[xml] = [e.get_error_code(), e.get_error_domain(), e.get_error_message()]
print(json.dumps(answers))
"""


@pytest.mark.parametrize("written", REFUSED)
def test_refused(written: str) -> None:
    with pytest.raises(RoostError) as caught:
        complete(parse(written, new=True), new=True)
    code, origin, text = REFUSED[written]
    assert [caught.value.code, caught.value.domain] == [code, origin]
    assert caught.value.message.startswith(text)


def test_a_host_of_a_storage_network_gets_names_there() -> None:
    vport = parse(
        "<device><parent>scsi_host5</parent><capability type='scsi_host'><capability type='fc_host'>"
        "<wwpn>1000000000000001</wwpn></capability></capability></device>",
        new=True,
    )
    device = complete(vport, new=True, entropy=bytes)
    assert device.name is None
    assert "<wwnn>5001a4a000000000</wwnn>" in format(device)
    assert "<wwpn>1000000000000001</wwpn>" in format(device)


@pytest.mark.peer
def test_libvirt_says_the_same(peer: Peer, tmp_path: Path) -> None:
    listing = tmp_path / "documents.json"
    listing.write_text(json.dumps(list(REFUSED)))
    assert libvirt_result(DEFINE_ALL, peer.uri, str(listing)) == REFUSED
