"""Guests that see their firmware and their board: UEFI with Secure Boot, a TPM, hotpluggable ports, SMBIOS."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from guests.build import BuildError
from guests.tools import TOOLS, build_with
from roost.constants import domain as D
from roost.contract.domains import Domains, Lifecycle
from roost.contract.lookups import SecretLookup
from roost.contract.references import DomainRef
from roost.contract.streams import ByteStream
from roost.errors import InternalError, NoSecret, OperationInvalid, SystemCallError
from support.guests import GuestImages, domain_xml, guest_images
from support.processes import child_processes
from support.world import World, run, world_root

pytestmark = pytest.mark.guest

OVMF = Path("/usr/share/OVMF/OVMF_CODE_4M.ms.fd")
TEMPLATE = Path("/usr/share/OVMF/OVMF_VARS_4M.ms.fd")
UUID = "1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9"
needs_ovmf = pytest.mark.skipif(not OVMF.exists(), reason="ovmf is not installed")
needs_swtpm = pytest.mark.skipif(
    shutil.which("swtpm") is None or shutil.which("swtpm_setup") is None, reason="swtpm is not installed"
)


@pytest.fixture
def root() -> Iterator[Path]:
    with world_root() as made:
        yield made


def on_q35(xml: str, os_words: str = "", os_elements: str = "") -> str:
    """The usual test guest on a q35 board, with more in its <os>."""
    xml = xml.replace("machine='pc'", "machine='q35'").replace("<os>", f"<os{os_words}>")
    return xml.replace("</os>", f"{os_elements}</os>")


async def tell(world: World, console: ByteStream, command: str) -> str:
    """What a command in the guest says."""
    await console.write(f"sh {command}; echo the-end:$((40+2))\n".encode())
    return await world.read_until(console, "the-end:42")


async def defined(world: World, xml: str) -> DomainRef:
    ref: DomainRef = await world.get(Domains).define(xml, 0)
    return ref


async def started(world: World, xml: str, flags: int = 0) -> tuple[DomainRef, ByteStream]:
    ref = await world.get(Lifecycle).create(await defined(world, xml), flags)
    return ref, await world.booted(ref)


def live_text(world: World, ref: DomainRef) -> str:
    text: str = world.get(Domains).describe(ref, 0)
    return text


@needs_ovmf
def test_uefi_with_secure_boot(root: Path) -> None:
    xml = on_q35(
        domain_xml("uefi", uuid_=UUID, memory_mib=512, interfaces="", graphics=""),
        " firmware='efi'",
        "<firmware><feature enabled='yes' name='enrolled-keys'/></firmware>",
    )
    variables = root / "lib" / "qemu" / "nvram" / "uefi_VARS.fd"
    size = TEMPLATE.stat().st_size

    async def scenario(world: World) -> None:
        ref, console = await started(world, xml)
        said = await tell(
            world, console, "mount -t efivarfs e /sys/firmware/efi/efivars; hexdump -C /sys/firmware/efi/efivars/Sec*"
        )
        assert re.search(r"06 00 00 00 01\s", said), said
        text = live_text(world, ref)
        assert f"<loader readonly='yes' secure='yes' type='pflash'>{OVMF}</loader>" in text
        assert f"<nvram template='{TEMPLATE}'>{variables}</nvram>" in text
        assert "<smm state='on'/>" in text
        assert variables.stat().st_size == size
        await world.get(Lifecycle).destroy(ref, 0)
        # The definition is as it was; the variables stay, and undefining asks about them.
        assert "<loader" not in world.get(Domains).describe(ref, D.XML_INACTIVE)
        with pytest.raises(OperationInvalid, match="cannot undefine domain with nvram"):
            await world.get(Domains).undefine(ref, 0)
        await world.get(Domains).undefine(ref, D.UNDEFINE_NVRAM)
        assert not variables.exists()

    run(root, scenario)


@needs_ovmf
def test_variables_are_kept_and_made_anew_on_demand(root: Path) -> None:
    template = root / "template.fd"
    own = root / "own.fd"
    template.write_bytes(b"\xff" * 540672)
    xml = on_q35(
        domain_xml("vars", interfaces="", graphics=""),
        os_elements=f"<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader>"
        f"<nvram template='{template}'>{own}</nvram>",
    )

    async def scenario(world: World) -> None:
        life = world.get(Lifecycle)
        ref = await life.create(await defined(world, xml), D.START_PAUSED)
        await life.destroy(ref, 0)
        assert own.read_bytes() == template.read_bytes()
        template.write_bytes(b"\xfe" * 540672)
        await life.destroy(await life.create(ref, D.START_PAUSED), 0)
        assert own.read_bytes()[:1] == b"\xff"
        await life.destroy(await life.create(ref, D.START_PAUSED | D.START_RESET_NVRAM), 0)
        assert own.read_bytes()[:1] == b"\xfe"
        await world.get(Domains).undefine(ref, D.UNDEFINE_KEEP_NVRAM)
        assert own.exists()

    run(root, scenario)


@needs_swtpm
@pytest.mark.parametrize("model", ["tpm-tis", "tpm-crb"])
def test_tpm(root: Path, model: str) -> None:
    tpm = (
        f"<tpm model='{model}'><backend type='emulator' version='2.0'>"
        "<active_pcr_banks><sha256/><sha384/></active_pcr_banks></backend></tpm>"
    )
    xml = on_q35(domain_xml("tpm", uuid_=UUID, interfaces="", graphics="", devices=tpm))
    state = root / "lib" / "swtpm" / UUID / "tpm2"

    async def first(world: World) -> None:
        ref, console = await started(world, xml)
        said = await tell(world, console, "ls -d /dev/tpm0; ls -d /sys/class/tpm/tpm0/pcr-*")
        assert "/dev/tpm0" in said
        assert set(re.findall(r"pcr-(\w+)", said)) == {"sha256", "sha384"}, said
        kept = state.stat()
        assert kept.st_mode & 0o077 == 0 or kept.st_mode & 0o007 == 0
        await world.get(Lifecycle).destroy(ref, 0)
        # Its state outlives the run, and is not made anew for the next.
        assert state.stat().st_ino == kept.st_ino
        ref = await world.get(Lifecycle).create(ref, D.START_PAUSED)
        assert state.stat().st_ino == kept.st_ino
        await world.get(Lifecycle).destroy(ref, 0)
        await world.get(Domains).undefine(ref, 0)
        assert not state.parent.exists()

    run(root, first)


@needs_swtpm
def test_a_tpm_outlives_the_daemon(root: Path) -> None:
    tpm = "<tpm><backend type='emulator' version='2.0' persistent_state='yes'/></tpm>"
    xml = on_q35(domain_xml("tpm", uuid_=UUID, interfaces="", graphics="", devices=tpm))

    async def first() -> tuple[int, int]:
        world = World(root)
        await world.start()
        await started(world, xml)
        await world.driver.stop()
        (helper,) = (root / "lib" / "qemu").glob("domain-*/swtpm.pid")
        return int((root / "run" / "qemu" / "tpm.pid").read_text()), int(helper.read_text())

    qemu, swtpm = asyncio.run(first())

    async def second(world: World) -> None:
        os.kill(swtpm, 0)
        ref = world.get(Domains).lookup_by_name("tpm")
        await world.get(Lifecycle).destroy(ref, 0)
        await world.get(Domains).undefine(ref, 0)

    run(root, second)
    # Both were children of this process, whose first life has let go of them; they ended with the guest.
    for pid in (qemu, swtpm):
        os.waitpid(pid, 0)
    assert (root / "lib" / "swtpm" / UUID / "tpm2").exists()


@needs_swtpm
def test_an_encrypted_tpm_opens_with_its_passphrase_alone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "6dd3e4a5-1d76-44ce-961f-f119f5aad935"
    tpm = f"<tpm><backend type='emulator' version='2.0'><encryption secret='{secret}'/></backend></tpm>"
    xml = on_q35(domain_xml("locked", interfaces="", graphics="", devices=tpm))
    passphrases = [b"a passphrase", b"another one"]

    async def value(self: SecretLookup, kind: str, *, uuid: str | None = None, usage: str | None = None) -> bytes:
        assert (kind, uuid) == ("vtpm", secret)
        return passphrases[0]

    async def scenario(world: World) -> None:
        life = world.get(Lifecycle)
        ref = await defined(world, xml)
        with pytest.raises(NoSecret, match=secret):
            await life.create(ref, D.START_PAUSED)
        monkeypatch.setattr(SecretLookup, "value", value)
        for _ in range(2):
            await life.destroy(await life.create(ref, D.START_PAUSED), 0)
        passphrases.reverse()
        before = child_processes()
        with pytest.raises(InternalError, match="swtpm has refused its state or has ended"):
            await life.create(ref, D.START_PAUSED)
        while child_processes() - before:  # noqa: ASYNC110 - what the failed start leaves ends by itself, a moment later
            await asyncio.sleep(0.01)

    run(root, scenario)


SYSINFO = """<sysinfo type='smbios'>
  <bios><entry name='vendor'>Roost Firmware</entry><entry name='date'>02/29/2024</entry></bios>
  <system>
    <entry name='manufacturer'>Example Ltd</entry><entry name='product'>Henhouse, large</entry>
    <entry name='serial'>HH-0001</entry><entry name='sku'>SKU-7</entry>
  </system>
  <baseBoard><entry name='product'>Perch</entry><entry name='asset'>A-12</entry></baseBoard>
  <chassis><entry name='manufacturer'>Carpenter</entry><entry name='serial'>C-3</entry></chassis>
  <oemStrings><entry>first: one</entry><entry>second, with a comma</entry></oemStrings>
</sysinfo>"""


def with_tools() -> GuestImages:
    images = guest_images()
    try:
        return images._replace(initrd=build_with(TOOLS))
    except BuildError as error:
        pytest.skip(str(error))


def test_twenty_ports_and_sysinfo(root: Path) -> None:
    ports = "".join(f"<controller type='pci' index='{n}' model='pcie-root-port'/>" for n in range(1, 21))
    xml = on_q35(
        domain_xml("ports", uuid_=UUID, memory_mib=192, devices=ports, images=with_tools()),
        os_elements="<smbios mode='sysinfo'/>",
    ).replace("<os>", f"{SYSINFO}<os>")

    async def scenario(world: World) -> None:
        ref, console = await started(world, xml)
        buses = await tell(world, console, "lspci")
        assert buses.count("PCI bridge: Red Hat, Inc. QEMU PCIe Root port") == 20, buses
        assert live_text(world, ref).count("model='pcie-root-port'") == 20
        hotpluggable = await tell(world, console, "lspci -vv 2>/dev/null | grep -c HotPlug+")
        assert "\n20" in hotpluggable.replace("\r", ""), hotpluggable
        tables = await tell(world, console, "dmidecode")
        for line in (
            "Vendor: Roost Firmware", "Release Date: 02/29/2024", "Manufacturer: Example Ltd",
            "Product Name: Henhouse, large", "Serial Number: HH-0001", f"UUID: {UUID}", "SKU Number: SKU-7",
            "Product Name: Perch", "Asset Tag: A-12", "Manufacturer: Carpenter", "Serial Number: C-3",
            "String 1: first: one", "String 2: second, with a comma",
        ):  # fmt: skip
            assert line in tables, tables

    run(root, scenario)


@needs_swtpm
def test_a_transient_guest_leaves_no_tpm_behind(root: Path) -> None:
    tpm = "<tpm><backend type='emulator' version='1.2'/></tpm>"
    xml = on_q35(domain_xml("transient", uuid_=UUID, interfaces="", graphics="", devices=tpm))

    async def scenario(world: World) -> None:
        ref = await world.get(Domains).create_xml(xml, D.START_PAUSED)
        assert (root / "lib" / "swtpm" / UUID / "tpm1.2").exists()
        await world.get(Lifecycle).destroy(ref, 0)
        assert not (root / "lib" / "swtpm" / UUID).exists()

    run(root, scenario)


def test_what_is_missing_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name.startswith("swtpm") else find(name))
    tpm = "<tpm><backend type='emulator' version='2.0'/></tpm>"
    xml = on_q35(domain_xml("missing", interfaces="", graphics="", devices=tpm))

    async def scenario(world: World) -> None:
        with pytest.raises(SystemCallError, match=r"Unable to find 'swtpm' binary in \$PATH.*install swtpm"):
            await world.get(Lifecycle).create(await defined(world, xml), D.START_PAUSED)

    run(root, scenario)
