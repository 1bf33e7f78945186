"""<capabilities>, out of what the host and its emulators told. Dry."""

from __future__ import annotations

from collections.abc import Sequence

from roost.drivers.qemu.capabilities.processors import host_processor, make_of_host
from roost.drivers.qemu.capabilities.record import Capabilities, MachineType
from roost.host.api import Account, Hardware, HostControl, HostMonitor, NodeFacts
from roost.model.capabilities import host as H
from roost.model.cpu.arches import is_x86, word_size
from roost.model.cpu.document import Counter, CpuSignature, PageSize, Processor
from roost.model.domain.cpu import CpuTopology, MaxPhysAddr

_MIGRATION_TRANSPORTS = ("tcp", "rdma")
#: What libvirt sets apart with an empty line.
_PARTS = (("<capabilities>\n", "\n"), ("  </host>\n", "\n"), ("  </guest>\n", "\n"))


def capabilities(
    node: NodeFacts, hardware: Hardware, guests: Sequence[tuple[str, Capabilities]], account: Account | None
) -> str:
    """The document. guests: (architecture, its emulator). account: whom guests run as."""
    document = H.HostCapabilities(
        host=H.Host(
            uuid=node.uuid(),
            cpu=_processor(node, hardware),
            power_management=_power(hardware),
            iommu=hardware.has_iommu(),
            live_migration=True,
            migration_transports=_MIGRATION_TRANSPORTS,
            topology=_topology(node, hardware),
            cache=_cache(hardware),
            memory_bandwidth=_bandwidth(hardware),
            security_models=_security(account),
        ),
        guests=tuple(_guest(arch, caps) for arch, caps in guests),
    )
    text = H.format_capabilities(document)
    for part, gap in _PARTS:
        text = text.replace(part, part + gap)
    return text


def _processor(node: NodeFacts, hardware: Hardware) -> Processor:
    identity, info = node.cpu_identity(), node.info()
    make = make_of_host(hardware.cpuid())
    signature = make.signature if make is not None else None
    microcode = int(identity.get("microcode", "0"), 0)
    width = identity.get("address sizes", "").partition(" ")[0]
    return host_processor(
        make,
        arch=node.machine(),
        microcode=microcode or None,
        signature=CpuSignature(**signature._asdict()) if signature is not None else None,
        counters=_counters(hardware) if make is not None and "invtsc" in make.features else (),
        topology=CpuTopology(sockets=info.sockets, dies=1, cores=info.cores, threads=info.threads),
        maxphysaddr=MaxPhysAddr(mode="emulate", bits=int(width)) if width else None,
        pages=tuple(PageSize(size=size) for size in hardware.page_sizes()),
    )


def _counters(hardware: Hardware) -> tuple[Counter, ...]:
    """A counter that runs at one rate is worth knowing the rate of."""
    told = hardware.tsc()
    return () if told is None else (Counter(name="tsc", frequency=told[0], scaling=told[1]),)


def _power(hardware: Hardware) -> H.PowerManagement:
    states = hardware.sleep_states()
    return H.PowerManagement(
        suspend_mem="mem" in states, suspend_disk="disk" in states, suspend_hybrid={"mem", "disk"} <= set(states)
    )


def _topology(node: NodeFacts, hardware: Hardware) -> H.Topology:
    places = {place.cpu: place for place in node.topology()}
    cells = []
    for cell in hardware.cells():
        cpus = [places[cpu] for cpu in cell.cpus if cpu in places]
        cells.append(
            H.Cell(
                id=cell.id,
                memory=cell.memory,
                pages=tuple(H.PagePool(size=size, count=count) for size, count in cell.pages),
                distances=tuple(H.Distance(id=id, value=value) for id, value in cell.distances),
                cpus=H.CpuList(
                    num=len(cpus),
                    cpus=tuple(
                        H.HostCpu(
                            id=each.cpu,
                            socket_id=each.socket,
                            die_id=each.die,
                            core_id=each.core,
                            siblings=each.siblings,
                        )
                        for each in cpus
                    ),
                ),
            )
        )
    return H.Topology(cells=H.CellList(num=len(cells), cells=tuple(cells)))


def scaled(kib: int) -> tuple[int, str]:
    """A size in the largest unit that divides it."""
    return (kib // 1024, "MiB") if kib and kib % 1024 == 0 else (kib, "KiB")


def _cache(hardware: Hardware) -> H.Cache | None:
    banks = []
    for cache in hardware.caches():
        size, unit = scaled(cache.size)
        controls = tuple(_cache_control(control) for control in hardware.cache_controls(cache))
        banks.append(
            H.Bank(
                id=cache.id,
                level=cache.level,
                type=cache.type,
                size=size,
                unit=unit,
                cpus=cache.cpus,
                controls=controls,
            )
        )
    monitor = _monitor(hardware.monitor(), "llc_")
    return H.Cache(banks=tuple(banks), monitor=monitor) if banks or monitor else None


def _cache_control(control: HostControl) -> H.Control:
    granularity, unit = scaled(control.granularity)
    minimum = control.minimum // 1024 if unit == "MiB" else control.minimum
    # The smallest share is told only where it is more than one.
    least = minimum if control.minimum > control.granularity else None
    return H.Control(granularity=granularity, min=least, unit=unit, type=control.type, max_allocs=control.groups)


def _monitor(monitor: HostMonitor | None, prefix: str) -> H.Monitor | None:
    features = tuple(name for name in monitor.features if name.startswith(prefix)) if monitor is not None else ()
    if monitor is None or not features:
        return None
    of_cache = prefix == "llc_"
    return H.Monitor(
        level=3 if of_cache else None,
        reuse_threshold=monitor.threshold if of_cache else None,
        max_monitors=monitor.groups,
        features=features,
    )


def _bandwidth(hardware: Hardware) -> H.MemoryBandwidth | None:
    control, monitor = hardware.bandwidth_control(), _monitor(hardware.monitor(), "mbm_")
    if control is None and monitor is None:
        return None
    made = (
        (H.Control(granularity=control.granularity, min=control.minimum, max_allocs=control.groups),)
        if control is not None
        else ()
    )
    nodes = (H.BandwidthNode(id=each.id, cpus=each.cpus, controls=made) for each in hardware.caches())
    return H.MemoryBandwidth(nodes=tuple(nodes) if control is not None else (), monitor=monitor)


def _security(account: Account | None) -> tuple[H.SecurityModel, ...]:
    none = H.SecurityModel(model="none", doi="0")
    if account is None:
        return (none,)
    labels = tuple(H.BaseLabel(type=kind, label=f"+{account.uid}:+{account.gid}") for kind in ("kvm", "qemu"))
    return none, H.SecurityModel(model="dac", doi="0", base_labels=labels)


# -- guests ------------------------------------------------------------------------------------


def _guest(arch: str, caps: Capabilities) -> H.Guest:
    default = caps.default_machine
    machines = sorted(caps.machines, key=lambda machine: machine is not default)
    kinds = [kind for name, kind in (("tcg", "qemu"), ("kvm", "kvm")) if name in caps.accelerators]
    pc = is_x86(arch)
    acpi = pc or arch == "aarch64"
    return H.Guest(
        os_type="hvm",
        arch=H.GuestArch(
            name=arch,
            wordsize=word_size(arch),
            emulator=caps.binary,
            machines=tuple(name for machine in machines for name in _names(machine)),
            domains=tuple(H.DomainKind(type=kind) for kind in kinds),
        ),
        features=H.GuestFeatures(
            pae=arch == "i686",
            nonpae=arch == "i686",
            acpi_default="on" if acpi else None,
            acpi_toggle=True if acpi else None,
            apic_default="on" if pc else None,
            apic_toggle=False if pc else None,
            cpuselection=True,
            deviceboot=True,
            disksnapshot_default="on",
            disksnapshot_toggle=False,
        ),
    )


def _names(machine: MachineType) -> Sequence[H.MachineName]:
    own = H.MachineName(max_cpus=machine.max_cpus, deprecated=machine.deprecated or None, name=machine.name)
    if not machine.alias:
        return (own,)
    alias = H.MachineName(
        canonical=machine.name, max_cpus=machine.max_cpus, deprecated=machine.deprecated or None, name=machine.alias
    )
    return own, alias
