"""The board: -machine, -accel and where sleep states are switched off."""

from __future__ import annotations

from collections.abc import Iterator

from roost.drivers.qemu.plan import confidential, firmware, platform
from roost.drivers.qemu.plan.context import Context, alias_of
from roost.drivers.qemu.plan.numa import has_hmat
from roost.drivers.qemu.plan.pieces import Piece, on_off, option
from roost.errors import ConfigUnsupported, From
from roost.model.domain.boards import S390, board_of
from roost.model.domain.devices.memory import Nvdimm, SgxEpc
from roost.model.domain.features import Features

_IRQCHIPS = {"qemu": "split", "kvm": "on"}
#: Domain type to QEMU's accelerator.
_ACCELERATORS = {"qemu": "tcg", "kvm": "kvm", "hvf": "hvf"}

#: Properties of boards by the feature they are.
_SWITCHES = (
    ("htm", "cap-htm"), ("nested_hv", "cap-nested-hv"), ("ccf_assist", "cap-ccf-assist"), ("cfpc", "cap-cfpc"),
    ("sbbc", "cap-sbbc"), ("ibs", "cap-ibs"), ("ras", "ras"), ("ps2", "i8042"), ("aia", "aia"),
    ("virtualization", "virtualization"),
)  # fmt: skip


def ram_id(ctx: Context) -> str | None:
    """The id of the object that backs the board's memory; None when it takes none, or NUMA cells bring it."""
    if ctx.domain.cells:
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
    if features.hpt_resizing is not None:
        yield f"resize-hpt={features.hpt_resizing}"
    if features.hpt_maxpagesize is not None:
        yield f"cap-hpt-max-page-size={features.hpt_maxpagesize}k"
    for field, word in _SWITCHES:
        value = getattr(features, field)
        if value is not None:
            yield f"{word}={value if isinstance(value, str) else on_off(value)}"


def _memory_words(ctx: Context) -> Iterator[str]:
    """What the board must know of memory that is no plain one."""
    domain = ctx.domain
    if domain.cpu is not None and has_hmat(domain.cpu.numa):
        yield "hmat=on"
    if any(isinstance(each, Nvdimm) for each in domain.devices.memories):
        yield "nvdimm=on"
    enclaves = (each for each in domain.devices.memories if isinstance(each, SgxEpc))
    for number, each in enumerate(enclaves):
        yield f"sgx-epc.{number}.memdev=mem{alias_of(each)},sgx-epc.{number}.node={each.node or 0}"


def _machine(ctx: Context) -> Piece:
    domain = ctx.domain
    os = domain.os
    board = board_of(os.arch or "", ctx.machine)
    words = [ctx.machine, "usb=off", *confidential.keywrap_words(ctx)]
    if domain.features is not None:
        words.extend(_feature_words(domain.features))
    words.extend(_memory_words(ctx))
    words.extend(platform.iommu_words(ctx))
    words.append(f"dump-guest-core={on_off(bool(domain.dump_core))}")
    backing = domain.memory_backing
    if backing is not None and backing.nosharepages:
        words.append("mem-merge=off")
    memory = ram_id(ctx)
    if memory is not None:
        words.append(f"memory-backend={memory}")
    words.extend(confidential.machine_words(ctx))
    words.extend(firmware.machine_words(ctx))
    devices = domain.devices
    if board is S390:
        words.extend(
            f"loadparm={each.boot.loadparm}"
            for each in (*devices.disks, *devices.interfaces)
            if each.boot is not None and each.boot.order == 1 and each.boot.loadparm
        )
    if os.bios_useserial:
        words.append("graphics=off")
    # Properties, not -no-acpi and -no-hpet, which newer QEMUs have no more.
    if board.acpi_switch and not (domain.features is not None and domain.features.acpi):
        words.append("acpi=off")
    if domain.clock is not None:
        words.extend(
            f"hpet={on_off(timer.present)}"
            for timer in domain.clock.timers
            if timer.name == "hpet" and timer.present is not None
        )
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


def _teardown(ctx: Context) -> Iterator[Piece]:
    """Whether the guest's memory is given back in the background."""
    features = ctx.domain.features
    if features is None or features.async_teardown is None:
        return
    word = f"async-teardown={on_off(features.async_teardown)}"
    if ctx.caps.has("option:run-with.async-teardown"):
        yield option("-run-with", word)
    elif features.async_teardown:
        ctx.require(
            "option:async-teardown", "asynchronous teardown is not available with this QEMU binary", "leave it out"
        )
        yield option("-async-teardown")


def section(ctx: Context) -> Iterator[Piece]:
    yield _machine(ctx)
    yield _accelerator(ctx)
    yield from _teardown(ctx)


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
