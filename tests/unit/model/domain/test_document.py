"""Documents in and out: the golden ones, JSON, devices alone, what parsing drops, and hostile text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from roost.errors import ConfigUnsupported, RoostError, XmlDetail, XmlInvalidSchema
from roost.model.domain import Domain, format, format_device, parse, parse_device
from roost.model.domain.devices.disk import BlockSource, Disk, FileSource
from roost.model.domain.devices.graphics import VncGraphics

GOLDEN = sorted((Path(__file__).parents[3] / "golden" / "domain").glob("*.xml"))
HEAD = "<domain type='qemu'><name>a</name><memory>1024</memory><os><type>hvm</type></os>"

golden = pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)


@golden
@pytest.mark.parametrize("live", [True, False])
def test_formatting_loses_nothing(path: Path, live: bool) -> None:
    domain = parse(path.read_text(), live=live)
    assert parse(format(domain), live=live) == domain


@golden
def test_formatting_is_stable(path: Path) -> None:
    text = format(parse(path.read_text(), live=True))
    assert format(parse(text, live=True)) == text


@golden
def test_every_name_is_declared(path: Path) -> None:
    parse(path.read_text(), validate=True)


def test_a_live_document_is_written_as_it_is_read() -> None:
    text = next(path for path in GOLDEN if path.stem == "live").read_text()
    assert format(parse(text, live=True)) == text


def test_a_definition_keeps_nothing_of_a_running_guest() -> None:
    text = next(path for path in GOLDEN if path.stem == "live").read_text()
    domain = parse(text)
    written = format(domain)
    assert domain.id is None
    for word in ("alias", "pts", "vnet", "mirror", "index='3'", "portid", "virbr0", "connected", "imagelabel"):
        assert word not in written, word


def test_user_aliases_are_kept_and_others_dropped() -> None:
    disk = "<disk><target dev='vda'/><alias name='%s'/></disk>"
    assert parse_device(disk % "ua-mine").alias == "ua-mine"  # type: ignore[attr-defined]
    assert parse_device(disk % "virtio-disk0").alias is None  # type: ignore[attr-defined]


def test_passwords_are_written_on_request() -> None:
    domain = parse(HEAD + "<devices><graphics type='vnc' passwd='hush'/></devices></domain>")
    graphics = domain.devices.graphics[0]
    assert isinstance(graphics, VncGraphics)
    assert graphics.passwd == "hush"
    assert "hush" in format(domain)
    assert "hush" not in format(domain, secure=False)


@pytest.mark.parametrize(
    ("written", "kib"),
    [("1024", 1024), ("<b>", 0), ("1 MiB", 1024), ("1 MB", 977), ("1 GiB", 1048576), ("1025 bytes", 2), ("1 k", 1)],
)
def test_memory_is_counted_in_kib_rounded_up(written: str, kib: int) -> None:
    if written == "<b>":
        assert parse("<domain type='qemu'><name>a</name><os><type>hvm</type></os></domain>").memory == 0
        return
    number, _, unit = written.partition(" ")
    attribute = f" unit='{unit}'" if unit else ""
    xml = f"<domain type='qemu'><name>a</name><memory{attribute}>{number}</memory><os><type>hvm</type></os></domain>"
    assert parse(xml).memory == kib
    assert f"<memory unit='KiB'>{kib}</memory>" in format(parse(xml))


def test_the_first_of_repeated_elements_counts() -> None:
    assert parse(HEAD + "<title>one</title><title>two</title></domain>").title == "one"


def test_metadata_keeps_one_element_a_namespace_and_is_laid_out_as_libxml2_does() -> None:
    domain = parse(
        HEAD + "<metadata><a xmlns='u' b='\u00e9&#10;x'> <c>\u00e9 &lt;</c>  <d> </d><!-- k --></a>stray<!-- gone -->"
        "<e>no namespace</e><f xmlns='u'>the second</f><x:g xmlns:x='v'>t<h/></x:g></metadata></domain>"
    )
    assert domain.metadata == (
        '<metadata><a xmlns="u" b="&#xE9;&#10;x"><c>\u00e9 &lt;</c><d> </d><!-- k --></a>'
        '<x:g xmlns:x="v">t<h/></x:g></metadata>'
    )
    assert (
        '  <metadata>\n    <a xmlns="u" b="&#xE9;&#10;x">\n      <c>\u00e9 &lt;</c>\n      <d> </d>\n      <!-- k -->\n'
        '    </a>\n    <x:g xmlns:x="v">t<h/></x:g>\n  </metadata>\n'
    ) in format(domain)


@pytest.mark.parametrize(
    ("inner", "kept"),
    [
        (" <!-- c --> <b/> ", "<!-- c --><b/>"),
        ("t <!-- c --> <b/>", "t <!-- c --> <b/>"),
        ("t<b/> <c/> ", "t<b/> <c/> "),
        (" <b/>t <!-- c --> ", "<b/>t <!-- c -->"),
        ("<b/> t <c/> <d/>", "<b/> t <c/> <d/>"),
        ("t<!-- c --> ", "t<!-- c --> "),
        ("<b> <!-- c --> </b> ", "<b><!-- c --></b>"),
    ],
)
def test_blanks_in_metadata_count_where_libxml2_counts_them(inner: str, kept: str) -> None:
    domain = parse(f"{HEAD}<metadata><a xmlns='u'>{inner}</a></metadata></domain>")
    assert domain.metadata == f'<metadata><a xmlns="u">{kept}</a></metadata>'
    assert parse(format(domain)).metadata == domain.metadata


def test_repeated_features_and_devices_add_up() -> None:
    domain = parse(
        HEAD + "<features><acpi/></features><devices><hub type='usb'/></devices>"
        "<features><pae/></features><devices/><devices><hub type='usb'/><video/></devices></domain>"
    )
    assert domain.features is not None
    assert (domain.features.acpi, domain.features.pae) == (True, True)
    assert (len(domain.devices.hubs), len(domain.devices.videos)) == (2, 1)


def test_lines_are_right_in_repeated_sections() -> None:
    text = (
        HEAD + "\n<devices><hub type='usb'/></devices>\n<features/>\n<devices>\n<hub type='%s'/>\n</devices></domain>"
    )
    assert len(parse(text % "usb").devices.hubs) == 2
    with pytest.raises(RoostError, match=r"line 5, /domain/devices\[2\]/hub/@type"):
        parse(text % "usc")
    with pytest.raises(XmlInvalidSchema, match=r"line 5, /domain/devices\[2\]/hub/@foo"):
        parse(text % "usb' foo='1", validate=True)


def test_unknown_names_are_ignored_and_refused_under_validation() -> None:
    text = HEAD + "\n<devices>\n<disk foo='1'><target dev='vda'/></disk></devices></domain>"
    assert parse(text).devices.disks[0].target.dev == "vda"
    with pytest.raises(XmlInvalidSchema, match=r"Invalid attribute foo for element disk; line 3, /domain/devices/disk"):
        parse(text, validate=True)
    with pytest.raises(XmlInvalidSchema, match="Element domain has extra content: bogus; line 1, /domain/bogus"):
        parse(HEAD + "<bogus/></domain>", validate=True)


QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"


@pytest.mark.parametrize(
    ("xml", "args"),
    [
        (f"<domain xmlns:qemu='{QEMU}'><qemu:commandline><qemu:arg value='x'/></qemu:commandline>", ("x",)),
        (f"<domain xmlns:ns0='{QEMU}'><ns0:commandline><ns0:arg value='x'/></ns0:commandline>", ("x",)),
        (f"<domain><commandline xmlns='{QEMU}'><arg value='x'/></commandline>", ("x",)),
        ("<domain><qemu:commandline><qemu:arg value='x'/></qemu:commandline>", None),
        ("<domain xmlns:qemu='urn:other'><qemu:commandline><qemu:arg value='x'/></qemu:commandline>", None),
    ],
)
def test_the_qemu_namespace_goes_by_uri(xml: str, args: tuple[str, ...] | None) -> None:
    rest = "<name>a</name><os><type>hvm</type></os></domain>"
    domain = parse(xml.replace("<domain", "<domain type='qemu'", 1) + rest)
    commandline = domain.qemu_commandline
    assert (commandline and tuple(arg.value for arg in commandline.args)) == args
    assert (f"xmlns:qemu='{QEMU}'" in format(domain)) == bool(args)


def test_one_device() -> None:
    disk = parse_device("<disk type='block'><source dev='/dev/x'/><target dev='vda' bus='virtio'/></disk>")
    assert isinstance(disk, Disk)
    assert disk.source == BlockSource(dev="/dev/x")
    assert format_device(disk, "disk") == (
        "<disk type='block' device='disk'>\n  <source dev='/dev/x'/>\n  <target dev='vda' bus='virtio'/>\n</disk>\n"
    )
    with pytest.raises(ConfigUnsupported, match="unknown device type 'bogus'"):
        parse_device("<bogus/>")
    with pytest.raises(
        RoostError, match=r"line 2, /disk/driver/@cache: expected one of .*; the nearest is 'writeback'"
    ):
        parse_device("<disk>\n<driver cache='writebck'/><target dev='vda'/></disk>")


def test_an_empty_drive_has_no_source_element() -> None:
    domain = parse(HEAD + "<devices><disk device='cdrom'><target dev='hda'/></disk></devices></domain>")
    assert domain.devices.disks[0].source == FileSource()
    assert "<source" not in format(domain)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(XmlDetail):
        parse(HEAD + "<a>" * 300 + "</a>" * 300 + "</domain>")
    with pytest.raises(XmlDetail):
        parse(HEAD + "<metadata>" + "<a>" * 300 + "</a>" * 300 + "</metadata></domain>")
    chain = "<backingStore type='file'><format type='raw'/>" * 240 + "</backingStore>" * 240
    disk = f"<devices><disk>{chain}<target dev='vda'/></disk></devices></domain>"
    domain = parse(HEAD + disk)
    assert parse(format(domain)) == domain


BASE = GOLDEN[-1].read_bytes() if GOLDEN else b""


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """A golden document with pieces cut, doubled, swapped or replaced."""
    data = bytearray(draw(st.sampled_from(GOLDEN)).read_bytes())
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 40)))
        junk = draw(st.one_of(st.binary(max_size=8), st.sampled_from([b"", b"'", b"<", b"&lt;", b"0", b"-1", b"\0"])))
        data[start:end] = data[start:end] * 2 if draw(st.booleans()) else junk
    return bytes(data)


@given(mutations(), st.booleans(), st.booleans())
def test_mutated_documents_raise_only_our_errors(data: bytes, live: bool, validate: bool) -> None:
    refusal = None
    try:
        domain = parse(data, live=live, validate=validate)
    except RoostError as error:
        refusal = error
    else:
        assert parse(format(domain), live=live) == domain
    if refusal is not None:
        assert refusal.code in (1, 8, 20, 21, 27, 35, 67, 92)
        assert "nothing is wrong" not in refusal.message


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200)))
def test_random_text_raises_only_our_errors(text: str | bytes) -> None:
    with pytest.raises(RoostError):
        parse(text)


@given(st.text())
def test_any_text_survives_or_loses_only_what_xml_cannot_carry(text: str) -> None:
    domain = parse(HEAD + "</domain>")
    assert isinstance(domain, Domain)
    written = format(replace(domain, title="x" + text))
    read_back = parse(written).title or ""
    kept = "".join(
        c for c in text if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff" and not "\ud800" <= c <= "\udfff")
    )
    assert read_back == "x" + kept
