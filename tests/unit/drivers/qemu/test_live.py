"""From a definition to the live document."""

from __future__ import annotations

from pathlib import Path

from roost.drivers.qemu import live as L
from roost.model import domain as model

XML = """<domain type='qemu'><name>g</name><memory unit='KiB'>65536</memory>
<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>
<devices>
<disk type='file' device='disk'><source file='/a'/><target dev='vda' bus='virtio'/></disk>
<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/></disk>
<disk type='file' device='disk'><source file='/b'/><target dev='vdb' bus='virtio'/></disk>
<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/></interface>
<serial type='pty'/><console type='pty'><target type='serial' port='0'/></console>
<channel type='unix'><target type='virtio' name='org.example.0'/></channel>
<channel type='unix'><source mode='bind' path='/own.sock'/><target type='virtio' name='org.example.1'/></channel>
<graphics type='vnc' port='-1' autoport='yes'><listen type='address'/></graphics>
</devices></domain>"""

LOCAL = {"vnc": "127.0.0.1"}


def text(domain: model.Domain) -> str:
    return model.format(domain, secure=True)


def test_a_live_document() -> None:
    made = L.make_live(model.parse(XML), 7, Path("/lib/domain-7-g"))
    shown = text(made)
    assert "<domain type='qemu' id='7'>" in shown
    for alias in ("net0", "serial0", "channel0", "channel1"):
        assert f"<alias name='{alias}'/>" in shown
    assert "<source mode='bind' path='/lib/domain-7-g/org.example.0'/>" in shown
    assert "<source mode='bind' path='/own.sock'/>" in shown
    assert "<source file='/a' index='3'/>" in shown
    assert "<source file='/b' index='1'/>" in shown


def test_what_was_granted_is_shown() -> None:
    made = L.make_live(model.parse(XML), 7, Path("/lib"))
    shown = text(L.with_ports(made, {"graphics0": 5907}, {"net0": "vnet3"}, LOCAL))
    assert "<graphics type='vnc' port='5907' autoport='yes' listen='127.0.0.1'>" in shown
    assert "<listen type='address' address='127.0.0.1'/>" in shown
    assert "<target dev='vnet3'/>" in shown


def test_an_address_of_the_users_stays() -> None:
    own = XML.replace("<listen type='address'/>", "<listen type='address' address='0.0.0.0'/>")
    made = L.make_live(model.parse(own), 7, Path("/lib"))
    assert "address='0.0.0.0'" in text(L.with_ports(made, {}, {}, LOCAL))


def test_sockets_instead_of_addresses() -> None:
    made = L.make_live(model.parse(XML), 7, Path("/lib"))
    shown = text(L.with_display_sockets(made, Path("/lib"), {"vnc"}))
    assert "<graphics type='vnc' socket='/lib/vnc.sock'>" in shown
    assert text(L.with_display_sockets(made, Path("/lib"), {"spice"})) == text(made)


def test_terminals() -> None:
    made = L.make_live(model.parse(XML), 7, Path("/lib"))
    shown = text(
        L.with_terminals(
            made,
            [
                {"label": "charmonitor", "filename": "unix:/m.sock,server=on"},
                {"label": "charserial0", "filename": "pty:/dev/pts/4"},
            ],
        )
    )
    assert shown.count("<source path='/dev/pts/4'/>") == 2
    assert "<console type='pty' tty='/dev/pts/4'>" in shown
    assert L.with_terminals(made, []) is made


def test_the_label_of_the_files_owner() -> None:
    made = L.with_labels(model.parse(XML), 107, 108)
    assert "<label>+107:+108</label>" in text(made)
    assert L.with_labels(made, 1, 2) is made
