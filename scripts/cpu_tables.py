#!/usr/bin/env python3
"""Observe x86 CPU features and models, and write src/roost/model/cpu/x86_features.py and x86_models.py.

    /usr/bin/python3 scripts/cpu_tables.py URI

URI: a libvirtd to ask, with qemu-system-x86_64 beside it. Needs python3-libvirt.
QEMU tells which CPUID bit each of its properties sets (a processor is plugged
for each), and family, model and stepping of its models. libvirtd tells which
names it accepts, their order, what each model has, its vendor, which models it
lets a guest's processor be described by, and what keeps a guest from migrating.
Bits that QEMU has no property for, and further family and model numbers that
processors of a kind were sold with, are from the vendors' manuals.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import libvirt

QEMU = "qemu-system-x86_64"
#: (leaf or MSR, subleaf, register, bit)
Place = tuple[int, int, str, int]

TARGET = Path(__file__).resolve().parent.parent / "src" / "roost" / "model" / "cpu"

#: Names of features on which libvirt and QEMU differ, by libvirt's.
SPELLINGS = {
    "cmp_legacy": "cmp-legacy",
    "ds_cpl": "ds-cpl",
    "fxsr_opt": "fxsr-opt",
    "lahf_lm": "lahf-lm",
    "nodeid_msr": "nodeid-msr",
    "pclmuldq": "pclmulqdq",
    "perfctr_core": "perfctr-core",
    "perfctr_nb": "perfctr-nb",
    "tsc_adjust": "tsc-adjust",
}

_ARCH_CAPABILITIES, _CORE_CAPABILITY = 0x10A, 0xCF
_XSAVE_STATE = (0xD, 0)
#: (leaf or MSR, subleaf, register, bit) of what QEMU does not show as a CPUID bit (Intel SDM, volumes 2 and 4).
MANUAL = {
    "apic": (0x1, 0, "edx", 9),  # a processor with one cannot be plugged beside one without
    "osxsave": (0x1, 0, "ecx", 27),
    "ospke": (0x7, 0, "ecx", 4),
    "cmt": (0x7, 0, "ebx", 12),
    "cvt16": (0x80000001, 0, "ecx", 18),
    "mbm_total": (0xF, 1, "edx", 1),
    "mbm_local": (0xF, 1, "edx", 2),
    "rdctl-no": (_ARCH_CAPABILITIES, 0, "msr", 0),
    "ibrs-all": (_ARCH_CAPABILITIES, 0, "msr", 1),
    "rsba": (_ARCH_CAPABILITIES, 0, "msr", 2),
    "skip-l1dfl-vmentry": (_ARCH_CAPABILITIES, 0, "msr", 3),
    "ssb-no": (_ARCH_CAPABILITIES, 0, "msr", 4),
    "mds-no": (_ARCH_CAPABILITIES, 0, "msr", 5),
    "pschange-mc-no": (_ARCH_CAPABILITIES, 0, "msr", 6),
    "tsx-ctrl": (_ARCH_CAPABILITIES, 0, "msr", 7),
    "taa-no": (_ARCH_CAPABILITIES, 0, "msr", 8),
    "split-lock-detect": (_CORE_CAPABILITY, 0, "msr", 5),
}

#: Further (family, model) numbers by a prefix of the model's name.
SIGNATURES = {
    "Conroe": ((6, 15), (6, 22)),
    "Penryn": ((6, 23), (6, 29)),
    "Nehalem": ((6, 26), (6, 30), (6, 31), (6, 46)),
    "Westmere": ((6, 44), (6, 37), (6, 47)),
    "SandyBridge": ((6, 42), (6, 45)),
    "IvyBridge": ((6, 58), (6, 62)),
    "Haswell": ((6, 60), (6, 63), (6, 69), (6, 70)),
    "Broadwell": ((6, 61), (6, 71), (6, 79), (6, 86)),
    "Skylake-Client": ((6, 94), (6, 78), (6, 142), (6, 158)),
    "Icelake-Server": ((6, 134), (6, 106), (6, 108)),
    "Icelake-Client": ((6, 126), (6, 125)),
    "EPYC-Milan": ((25, 1),),
    "EPYC-Rome": ((23, 49),),
    "EPYC": ((23, 1),),
    "Dhyana": ((24, 0),),
    "Opteron_G5": ((21, 2),),
    "Opteron_G4": ((21, 1),),
}
#: Steppings that tell apart what shares family and model.
STEPPINGS = {"Skylake-Server": (0, 4), "Cascadelake": (5, 7), "Cooperlake": (10, 11)}


class Model(NamedTuple):
    """What is found out about a model. removed: features that its name promises and no guest gets any more."""

    name: str
    vendor: str
    features: set[str]
    removed: list[str]
    signatures: list[tuple[int, ...]]


class Monitor:
    """A QEMU and its QMP."""

    def __init__(self, *options: str) -> None:
        command = [QEMU, "-nodefaults", "-nographic", "-S", "-qmp", "stdio", *options]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._read()
        self.ask("qmp_capabilities")

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def ask(self, command: str, **arguments: Any) -> Any:
        """The answer; RuntimeError with QEMU's words."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._process.stdin.flush()
        while True:
            answer = self._read()
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise RuntimeError(answer["error"]["desc"])

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def monitor(*options: str) -> Iterator[Monitor]:
    made = Monitor(*options)
    try:
        yield made
    finally:
        made.end()


def document(model: str, features: list[str], vendor: str = "") -> str:
    inside = "".join(f"<feature name='{name}'/>" for name in features)
    said = f"<vendor>{vendor}</vendor>" if vendor else ""
    return f"<cpu><arch>x86_64</arch><model>{model}</model>{said}{inside}</cpu>"


def listed(xml: str, policy: str) -> list[str]:
    return re.findall(rf"policy='{policy}' name='(.*?)'", xml)


def feature_names(connection: Any) -> list[str]:
    """Every name libvirt accepts, found by trying what QEMU and the host have."""
    with monitor("-machine", "none") as qemu:
        entries = qemu.ask("device-list-properties", typename="max-x86_64-cpu")
    candidates = {*MANUAL, *SPELLINGS, *re.findall("<feature name='(.*?)'", connection.getCapabilities())}
    for name in (entry["name"] for entry in entries if entry["type"] == "bool"):
        candidates |= {name, name.replace("-", "_"), name.replace("_", "-")}
    accepted = []
    for name in sorted(candidates):
        with contextlib.suppress(libvirt.libvirtError):
            connection.baselineCPU([document("486", [name])])
            accepted.append(name)
    return accepted


def feature_bits(names: list[str]) -> dict[str, Place]:
    """Where QEMU shows each feature: that of a processor that has it, against one that has not."""
    found = {name: place for name, place in MANUAL.items() if name in names}
    with monitor("-machine", "pc,accel=tcg", "-cpu", "486", "-smp", "1,maxcpus=255,sockets=255", "-m", "16") as qemu:
        base = feature_words(qemu, "/machine/unattached/device[0]")
        number = 0
        for name in names:
            for state in () if name in found else (True, False):
                number += 1
                place = {"id": f"c{number}", "socket-id": number, "core-id": 0, "thread-id": 0}
                qemu.ask("device_add", driver="486-x86_64-cpu", **place, **{SPELLINGS.get(name, name): state})
                changed = base ^ feature_words(qemu, f"/machine/peripheral/c{number}")
                if changed:
                    # A feature that brings a state component has its own bit besides.
                    found[name] = min(changed, key=lambda bit: (bit[:2] == _XSAVE_STATE, bit))
                    break
    return found


def feature_words(qemu: Monitor, path: str) -> set[Place]:
    """The bits of a processor's CPUID, with those that this QEMU would not let it have."""
    return {
        (word["cpuid-input-eax"], word.get("cpuid-input-ecx", 0), word["cpuid-register"].lower(), bit)
        for kind in ("feature-words", "filtered-features")
        for word in qemu.ask("qom-get", path=path, property=kind)
        for bit in range(32)
        if word["features"] >> bit & 1
    }


def ordered(connection: Any, names: list[str], bits: dict[str, Place]) -> list[str]:
    """The names in the order in which libvirt lists them.

    What the model has and what libvirt never writes is not listed: those go after the bit below theirs.
    """
    sequence: list[str] = []
    for model in ("n270", "486"):
        seen = listed(connection.baselineCPU([document(model, names)]), "require")
        for number, name in enumerate(seen):
            if name not in sequence:
                after = sequence.index(seen[number - 1]) + 1 if number else 0
                sequence.insert(after, name)
    for name in sorted(set(names) - set(sequence), key=bits.__getitem__):
        below = [other for other in sequence if bits[other][:3] == bits[name][:3] and bits[other] < bits[name]]
        if below:
            place = sequence.index(below[-1]) + 1
        else:
            word = [number for number, other in enumerate(sequence) if bits[other] > bits[name]]
            place = word[0] if word else len(sequence)
        sequence.insert(place, name)
    return sequence


def models(connection: Any) -> list[Model]:
    """Every model of libvirt, in its order, with what libvirt shows of it."""
    expand = libvirt.VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES
    with monitor("-machine", "none") as qemu:
        hardware = {entry["name"]: expansion(qemu, entry["name"]) for entry in qemu.ask("query-cpu-definitions")}
    found = []
    for name in connection.getCPUModelNames("x86_64"):
        shown = connection.baselineCPU([document(name, [])], expand)
        features, removed = set(listed(shown, "require")), listed(shown, "disable")
        try:
            connection.baselineCPU([document("486", []), document(name, [], "nobody")])
            vendor = ""
        except libvirt.libvirtError as error:
            said = re.search(r"CPU vendor (\w+) of model", error.get_error_message())
            vendor = said[1] if said else ""
        kinds = signatures(name, hardware.get(name)) if vendor else []
        found.append(Model(name, vendor, features, removed, kinds))
    return found


def expansion(qemu: Monitor, name: str) -> dict[str, Any]:
    try:
        answer = qemu.ask("query-cpu-model-expansion", type="full", model={"name": name})
    except RuntimeError:
        return {}
    props: dict[str, Any] = answer["model"]["props"]
    return props


def signatures(name: str, props: dict[str, Any] | None) -> list[tuple[int, ...]]:
    """(family, model) or (family, model, first and last stepping) of the processors that a model stands for."""
    numbers = [(props["family"], props["model"])] if props else []
    prefix = next((prefix for prefix in sorted(SIGNATURES, key=len, reverse=True) if name.startswith(prefix)), "")
    numbers += [pair for pair in SIGNATURES.get(prefix, ()) if pair not in numbers]
    steppings = next((steps for prefix, steps in STEPPINGS.items() if name.startswith(prefix)), ())
    return [(*pair, *steppings) for pair in numbers]


# -- writing -----------------------------------------------------------------------------------


def write_features(order: list[str], bits: dict[str, Place], blockers: list[str]) -> None:
    rows = [
        f'    Feature("{name}", {leaf:#x}, {subleaf}, "{register}", {bit}),'
        for name in order
        for leaf, subleaf, register, bit in [bits[name]]
    ]
    text = f'''"""x86 CPU features: written by scripts/cpu_tables.py."""

from __future__ import annotations

from typing import NamedTuple


class Feature(NamedTuple):
    """A feature by libvirt's name, and the bit that tells of it.

    leaf, subleaf: CPUID's EAX and ECX, or the number of an MSR for register "msr".
    """

    name: str
    leaf: int
    subleaf: int
    register: str
    bit: int


#: In the order in which documents list them.
FEATURES = (
{chr(10).join(rows)}
)

#: With these a guest cannot migrate.
NOT_MIGRATABLE = {blockers!r}

#: libvirt's spelling to QEMU's, where they differ.
QEMU_NAMES = {SPELLINGS!r}
'''
    (TARGET / "x86_features.py").write_text(text)


def shown(value: object) -> str:
    """A value's source text, broken where it is long."""
    parts = textwrap.wrap(value, 96, break_on_hyphens=False) if isinstance(value, str) else []
    if len(parts) < 2:
        return repr(value)
    return "(" + " ".join(repr(part + " ") for part in parts[:-1]) + f" {parts[-1]!r})"


def write_models(found: list[Model], order: list[str]) -> None:
    rows: list[str] = []
    for number, model in enumerate(found):
        kin = [other for other in found[:number] if not other.removed and other.vendor in ("", model.vendor)]
        base = min(kin, key=lambda other: len(other.features ^ model.features), default=None)
        if base is None or len(base.features ^ model.features) >= len(model.features):
            base = None
        have = base.features if base is not None else set()
        words = {
            "vendor": model.vendor,
            "base": base.name if base is not None else "",
            "adds": " ".join(name for name in order if name in model.features - have),
            "drops": " ".join(name for name in order if name in have - model.features),
            "removed": " ".join(model.removed),
            "signatures": tuple(model.signatures),
            # libvirt describes no guest by these, even though the features fit.
            "for_guests": not ("hle" in model.removed or model.name.startswith("cpu64-")),
            "for_hosts": not model.name.startswith("cpu64-"),
        }
        given = ", ".join(f"{key}={shown(value)}" for key, value in words.items() if value not in ("", (), True))
        rows.append(f"    _Row({model.name!r}, {given}),")
    text = f'''"""x86 CPU models: written by scripts/cpu_tables.py."""

from __future__ import annotations

from typing import NamedTuple


class _Row(NamedTuple):
    """A model as the difference to an earlier one: `base`, with the features in `adds`, without those in `drops`."""

    name: str
    vendor: str = ""
    base: str = ""
    adds: str = ""
    drops: str = ""
    removed: str = ""
    signatures: tuple[tuple[int, ...], ...] = ()
    for_guests: bool = True
    for_hosts: bool = True


#: Oldest first.
ROWS = (
{chr(10).join(rows)}
)
'''
    (TARGET / "x86_models.py").write_text(text)


def main() -> None:
    libvirt.registerErrorHandler(lambda *_: None, None)
    connection = libvirt.open(sys.argv[1])
    names = feature_names(connection)
    bits = feature_bits(names)
    order = ordered(connection, names, bits)
    everything = [document("486", names)]
    seen = listed(connection.baselineCPU(everything), "require")
    migratable = listed(connection.baselineCPU(everything, libvirt.VIR_CONNECT_BASELINE_CPU_MIGRATABLE), "require")
    write_features(order, bits, [name for name in seen if name not in migratable])
    write_models(models(connection), order)


if __name__ == "__main__":
    main()
