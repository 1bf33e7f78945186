"""The board: -machine, -accel, firmware and where sleep states are switched off."""

from __future__ import annotations

from collections.abc import Iterator

from roost.drivers.qemu.plan.context import Context
from roost.drivers.qemu.plan.pieces import Piece, escape, on_off, option
from roost.drivers.qemu.plan.resources import File
from roost.errors import ConfigUnsupported, From
from roost.model.domain.features import Features
from roost.model.domain.os import Loader

_X86 = frozenset(("x86_64", "i686"))
_IRQCHIPS = {"qemu": "split", "kvm": "on"}
#: Domain type to QEMU's accelerator.
_ACCELERATORS = {"qemu": "tcg", "kvm": "kvm", "hvf": "hvf"}


def ram_id(ctx: Context) -> str | None:
    """The id of the object that backs the board's memory; None when it takes none, or NUMA cells bring it."""
    cpu = ctx.domain.cpu
    if cpu is not None and cpu.numa:
        return None
    machine = ctx.caps.machine(ctx.machine)
    return machine.default_ram_id if machine is not None else None


def _feature_words(features: Features) -> Iterator[str]:
    if features.vmport is not None:
        yield f"vmport={on_off(features.vmport)}"
    if features.smm is not None:
        yield f"smm={on_off(features.smm)}"
    if features.gic is not None and features.gic.version is not None:
        yield f"gic-version={features.gic.version}"
    if features.ioapic is not None:
        yield f"kernel_irqchip={_IRQCHIPS[features.ioapic]}"


def is_pflash(loader: Loader | None) -> bool:
    return loader is not None and loader.type == "pflash" and bool(loader.path)


def _pflash(ctx: Context) -> Iterator[Piece]:
    os = ctx.domain.os
    if not is_pflash(os.loader):
        return
    assert os.loader is not None
    images = [("libvirt-pflash0", os.loader.path, os.loader.readonly is not False)]
    if os.nvram is not None and os.nvram.path is not None:
        images.append(("libvirt-pflash1", os.nvram.path, False))
    for node, path, readonly in images:
        storage = {
            "driver": "file",
            "filename": path,
            "node-name": f"{node}-storage",
            "auto-read-only": True,
            "discard": "unmap",
        }
        yield Piece("blockdev", storage)
        data = {"node-name": f"{node}-format", "read-only": readonly, "driver": "raw", "file": f"{node}-storage"}
        yield Piece("blockdev", data)


def _machine(ctx: Context) -> Piece:
    domain = ctx.domain
    os = domain.os
    words = [ctx.machine, "usb=off"]
    if domain.features is not None:
        words.extend(_feature_words(domain.features))
    words.append(f"dump-guest-core={on_off(bool(domain.dump_core))}")
    backing = domain.memory_backing
    if backing is not None and backing.nosharepages:
        words.append("mem-merge=off")
    memory = ram_id(ctx)
    if memory is not None:
        words.append(f"memory-backend={memory}")
    if is_pflash(os.loader):
        words.append("pflash0=libvirt-pflash0-format")
        if os.nvram is not None and os.nvram.path is not None:
            words.append("pflash1=libvirt-pflash1-format")
    if os.bios_useserial:
        words.append("graphics=off")
    # Properties, not -no-acpi and -no-hpet, which newer QEMUs have no more.
    if os.arch in _X86 and not (domain.features is not None and domain.features.acpi):
        words.append("acpi=off")
    if domain.clock is not None:
        words.extend(
            f"hpet={on_off(timer.present)}"
            for timer in domain.clock.timers
            if timer.name == "hpet" and timer.present is not None
        )
    devices = domain.devices
    if devices.audios and any(sound.model == "pcspk" for sound in devices.sounds):
        words.append(f"pcspk-audiodev=audio{devices.audios[0].id}")
    return option("-machine", ",".join(words))


def _accelerator(ctx: Context) -> Piece:
    domain = ctx.domain
    name = _ACCELERATORS.get(domain.type)
    if name is None:
        raise ConfigUnsupported(
            f"unsupported domain type '{domain.type}'", domain=From.QEMU, hint="use type 'kvm' or 'qemu'"
        )
    words = [name]
    features = domain.features
    if features is not None:
        if name == "tcg" and features.tcg_tb_cache:
            words.append(f"tb-size={features.tcg_tb_cache >> 10}")
        if name == "kvm" and features.kvm is not None and features.kvm.dirty_ring:
            words.append(f"dirty-ring-size={features.kvm.dirty_ring_size}")
    return option("-accel", ",".join(words))


def section(ctx: Context) -> Iterator[Piece]:
    yield from _pflash(ctx)
    yield _machine(ctx)
    yield _accelerator(ctx)


def firmware_section(ctx: Context) -> Iterator[Piece]:
    loader = ctx.domain.os.loader
    if loader is not None and loader.path and loader.type in (None, "rom"):
        yield option("-bios", loader.path)


def power_section(ctx: Context) -> Iterator[Piece]:
    """What happens at shutdown and reset is set over QMP; QEMU always stays until told to quit."""
    domain = ctx.domain
    yield option("-no-shutdown")
    pm = domain.pm
    if pm is None:
        return
    chipset = "ICH9-LPC" if ctx.is_q35 and ctx.caps.has("ICH9-LPC.disable_s3") else "PIIX4_PM"
    for state, enabled in (("s3", pm.suspend_to_mem), ("s4", pm.suspend_to_disk)):
        if enabled is not None:
            yield option("-global", f"{chipset}.disable_{state}={int(not enabled)}")


def boot_section(ctx: Context) -> Iterator[Piece]:
    os = ctx.domain.os
    words = []
    if os.bootmenu is not None:
        words.append(f"menu={on_off(os.bootmenu)}")
    if os.bios_reboot_timeout is not None:
        words.append(f"reboot-timeout={os.bios_reboot_timeout}")
    if os.bootmenu_timeout is not None:
        words.append(f"splash-time={os.bootmenu_timeout}")
    words.append("strict=on")
    yield option("-boot", ",".join(words))
    for flag, value in (("-kernel", os.kernel), ("-initrd", os.initrd), ("-append", os.cmdline), ("-dtb", os.dtb)):
        if value:
            yield option(flag, value)
    if os.acpi_table:
        yield option("-acpitable", f"sig=SLIC,file={escape(os.acpi_table)}")


def needs(ctx: Context) -> Iterator[File]:
    os = ctx.domain.os
    for path, user in ((os.kernel, "kernel"), (os.initrd, "initrd"), (os.dtb, "dtb"), (os.acpi_table, "acpi table")):
        if path:
            yield File(path, write=False, user=user, kind="kernel")
    if os.loader is not None and os.loader.path:
        yield File(
            os.loader.path, write=is_pflash(os.loader) and os.loader.readonly is False, user="loader", kind="kernel"
        )
    if os.nvram is not None and os.nvram.path is not None and is_pflash(os.loader):
        yield File(os.nvram.path, write=True, user="nvram")
