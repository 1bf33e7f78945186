"""test:///default: what is added to a document."""

from __future__ import annotations

from roost.drivers.test.documents import complete
from roost.model import domain as model


def devices(inside: str) -> str:
    text = (
        f"<domain type='test'><name>x</name><memory>8192</memory><os><type>hvm</type></os><devices>{inside}</devices>"
    )
    return model.format(complete(model.parse(f"{text}</domain>"))).partition("<devices>\n")[2]


def test_disks_have_buses_and_controllers() -> None:
    shown = devices(
        "<disk device='cdrom'><target dev='hdc'/></disk><disk><source file='/a'/><target dev='sdh'/></disk>"
    )
    assert "<target dev='hdc' bus='ide'/>\n      <readonly/>" in shown
    assert "<address type='drive' controller='1' bus='0' target='0' unit='0'/>" in shown
    for controller in ("type='ide' index='0'", "type='scsi' index='0'", "type='scsi' index='1'"):
        assert f"<controller {controller}/>" in shown
    assert "<driver" not in shown


def test_interfaces_have_addresses_and_names_of_their_own() -> None:
    interface = "<interface type='user'>{}</interface>"
    shown = devices(interface.format("") + interface.format("<target dev='testnet0'/>") + interface.format(""))
    assert [shown.count(f"<target dev='testnet{number}'/>") for number in range(4)] == [1, 1, 1, 0]
    assert shown.count("<mac address='52:54:00:") == 3


def test_the_rest() -> None:
    shown = devices("<serial type='pty'/><input type='tablet'/><graphics type='vnc'/>")
    for words in (
        "<serial type='pty'>\n      <target port='0'/>", "<target type='serial' port='0'/>",
        "<input type='tablet' bus='usb'/>", "<graphics type='vnc' port='-1' autoport='yes'>",
        "<model type='cirrus' vram='16384' heads='1' primary='yes'/>",
    ):  # fmt: skip
        assert words in shown
    assert devices("") == "  </devices>\n</domain>\n"
