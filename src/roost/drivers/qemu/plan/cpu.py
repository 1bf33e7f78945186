"""The processor: -cpu and -smp."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from roost.drivers.qemu.plan.context import Context
from roost.drivers.qemu.plan.pieces import Piece, escape, on_off, option
from roost.errors import ConfigUnsupported, From, InternalError
from roost.model.cpu.x86_features import QEMU_NAMES
from roost.model.domain.clock import Clock
from roost.model.domain.cpu import Cpu, CpuCache
from roost.model.domain.features import Features, Hyperv, Kvm

#: libvirt's names of features that QEMU spells otherwise.
_FEATURE_NAMES = {**QEMU_NAMES, "kvm_pv_eoi": "kvm-pv-eoi", "kvm_pv_unhalt": "kvm-pv-unhalt"}
_FEATURE_STATES = {"force": "on", "require": "on", "disable": "off", "forbid": "off"}
_DEFAULT_MODELS = {"i686": "qemu32", "x86_64": "qemu64"}
_HOST_MODES = {"host-passthrough": "host", "maximum": "max"}


def _stimer(hyperv: Hyperv) -> str:
    assert hyperv.stimer is not None
    if not hyperv.stimer.state:
        return ""
    return "hv-stimer=on" + (",hv-stimer-direct=on" if hyperv.stimer.direct else "")


def _tlbflush(hyperv: Hyperv) -> str:
    flush = hyperv.tlbflush
    assert flush is not None
    if not flush.state:
        return ""
    words = ("hv-tlbflush-direct=on" if flush.direct else "", "hv-tlbflush-ext=on" if flush.extended else "")
    return ",".join(("hv-tlbflush=on", *filter(None, words)))


#: Hyper-V enlightenments and how they are written when on.
_HYPERV: tuple[tuple[str, Callable[[Hyperv], str]], ...] = (
    ("relaxed", lambda _: "hv-relaxed=on"),
    ("vapic", lambda _: "hv-vapic=on"),
    ("spinlocks", lambda hyperv: f"hv-spinlocks={hyperv.spinlocks_retries or 0:#x}"),
    ("vpindex", lambda _: "hv-vpindex=on"),
    ("runtime", lambda _: "hv-runtime=on"),
    ("synic", lambda _: "hv-synic=on"),
    ("stimer", _stimer),
    ("reset", lambda _: "hv-reset=on"),
    ("vendor_id", lambda hyperv: f"hv-vendor-id={escape(hyperv.vendor_id_value or '')}"),
    ("frequencies", lambda _: "hv-frequencies=on"),
    ("reenlightenment", lambda _: "hv-reenlightenment=on"),
    ("tlbflush", _tlbflush),
    ("ipi", lambda _: "hv-ipi=on"),
    ("evmcs", lambda _: "hv-evmcs=on"),
    ("avic", lambda _: "hv-avic=on"),
    ("emsr_bitmap", lambda _: "hv-emsr-bitmap=on"),
    ("xmm_input", lambda _: "hv-xmm-input=on"),
)


def _model(cpu: Cpu, ctx: Context) -> Iterator[str]:
    if cpu.mode in _HOST_MODES:
        yield _HOST_MODES[cpu.mode]
        if cpu.migratable is not None:
            yield f"migratable={on_off(cpu.migratable)}"
    elif cpu.mode == "host-model":
        raise InternalError(
            f"unexpected host-model CPU for {ctx.domain.os.arch} architecture",
            domain=From.QEMU,
            hint="the model must be expanded before the launch",
        )
    else:
        assert cpu.model is not None
        yield escape(cpu.model.name or "")
    if cpu.model is not None and cpu.model.vendor_id is not None:
        yield f"vendor={cpu.model.vendor_id}"
    for feature in cpu.features:
        state = _FEATURE_STATES.get(feature.policy or "require")
        if state is not None:
            yield f"{_FEATURE_NAMES.get(feature.name, feature.name)}={state}"


def _timers(clock: Clock) -> Iterator[str]:
    for timer in clock.timers:
        if timer.name == "kvmclock" and timer.present is not None:
            yield f"kvmclock={on_off(timer.present)}"
        elif timer.name == "hypervclock" and timer.present:
            yield "hv-time=on"
        elif timer.name == "tsc" and timer.frequency:
            yield f"tsc-frequency={timer.frequency}"
        elif timer.name == "armvtimer" and timer.tickpolicy in ("delay", "discard"):
            yield f"kvm-no-adjvtime={on_off(timer.tickpolicy == 'discard')}"


def _hyperv(hyperv: Hyperv) -> Iterator[str]:
    if hyperv.mode == "passthrough":
        yield "hv-passthrough=on"
    for field, word in _HYPERV:
        written = word(hyperv) if getattr(hyperv, field) else ""
        if written:
            yield written


def _kvm(kvm: Kvm) -> Iterator[str]:
    if kvm.hidden:
        yield "kvm=off"
    if kvm.hint_dedicated:
        yield "kvm-hint-dedicated=on"
    if kvm.poll_control:
        yield "kvm-poll-control=on"
    if kvm.pv_ipi is False:
        yield "kvm-pv-ipi=off"


def _features(features: Features) -> Iterator[str]:
    if features.apic is not None and features.apic.eoi is not None:
        yield f"kvm-pv-eoi={on_off(features.apic.eoi)}"
    if features.pvspinlock is not None:
        yield f"kvm-pv-unhalt={on_off(features.pvspinlock)}"
    if features.hyperv is not None:
        yield from _hyperv(features.hyperv)


def _late_features(features: Features) -> Iterator[str]:
    if features.kvm is not None:
        yield from _kvm(features.kvm)
    if features.pmu is not None:
        yield f"pmu={on_off(features.pmu)}"


def _cache(cache: CpuCache, cpu: Cpu) -> Iterator[str]:
    if cache.mode == "emulate":
        yield "l3-cache=on"
    if cache.mode == "passthrough":
        yield "host-cache-info=on"
    elif cpu.mode in _HOST_MODES:
        yield "host-cache-info=off"
    if cache.mode != "emulate":
        yield "l3-cache=off"


def _flags(ctx: Context) -> Iterator[str]:
    domain = ctx.domain
    if domain.clock is not None:
        yield from _timers(domain.clock)
    if domain.features is not None:
        yield from _features(domain.features)
    if any(panic.model == "hyperv" for panic in domain.devices.panics):
        yield "hv-crash"
    if domain.features is not None:
        yield from _late_features(domain.features)
    cpu = domain.cpu
    if cpu is not None:
        if cpu.cache is not None:
            yield from _cache(cpu.cache, cpu)
        if cpu.maxphysaddr is not None:
            passed = cpu.maxphysaddr.mode == "passthrough"
            yield "host-phys-bits=on" if passed else f"phys-bits={cpu.maxphysaddr.bits}"
            if passed and cpu.maxphysaddr.limit is not None:
                yield f"host-phys-bits-limit={cpu.maxphysaddr.limit}"


def _default_model(ctx: Context, *, has_flags: bool) -> str | None:
    arch = ctx.domain.os.arch or ctx.caps.arch
    if arch == "i686" and ctx.caps.arch == "x86_64":
        return "qemu32"
    if not has_flags:
        return None
    if arch not in _DEFAULT_MODELS:
        raise ConfigUnsupported(
            f"CPU flags requested but can't determine default CPU for arch {arch}",
            domain=From.QEMU,
            hint="name a model in <cpu>",
        )
    return _DEFAULT_MODELS[arch]


def section(ctx: Context) -> Iterator[Piece]:
    cpu = ctx.domain.cpu
    flags = list(_flags(ctx))
    if cpu is not None and ((cpu.mode or "custom") != "custom" or (cpu.model is not None and cpu.model.name)):
        words = [*_model(cpu, ctx), *flags]
    else:
        default = _default_model(ctx, has_flags=bool(flags))
        words = [default, *flags] if default is not None else []
    if words:
        yield option("-cpu", ",".join(words))


def _plugged(ctx: Context) -> tuple[int, int]:
    """(processors there from the start, the most there can be)."""
    vcpu, states = ctx.domain.vcpu, ctx.domain.vcpus
    maximum = vcpu.count if vcpu is not None else 1
    if states:
        return sum(1 for state in states if state.enabled and not state.hotpluggable), maximum
    current = vcpu.current if vcpu is not None else None
    return current or maximum, maximum


def smp_section(ctx: Context) -> Iterator[Piece]:
    plugged, maximum = _plugged(ctx)
    words = [str(plugged)]
    if plugged != maximum:
        words.append(f"maxcpus={maximum}")
    topology = ctx.domain.cpu.topology if ctx.domain.cpu is not None else None
    if topology is not None:
        words.append(f"sockets={topology.sockets}")
        if ctx.caps.has("option:smp-opts.dies"):
            words.append(f"dies={topology.dies or 1}")
        elif (topology.dies or 1) != 1:
            raise ConfigUnsupported(
                "Only 1 die per socket is supported", domain=From.QEMU, hint="set dies='1' in <topology>"
            )
        if topology.clusters is not None and ctx.caps.has("option:smp-opts.clusters"):
            words.append(f"clusters={topology.clusters}")
        elif (topology.clusters or 1) != 1:
            raise ConfigUnsupported(
                "Only 1 cluster per die is supported", domain=From.QEMU, hint="set clusters='1' in <topology>"
            )
        words += [f"cores={topology.cores}", f"threads={topology.threads}"]
    else:
        words += [f"sockets={maximum}", "cores=1", "threads=1"]
    yield option("-smp", ",".join(words))
