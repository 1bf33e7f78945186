"""Architectures, and the models that are known of each."""

from __future__ import annotations

from roost.errors import From, InvalidArg, NoSupport
from roost.model.cpu import x86

#: Every guest architecture that documents may name.
ARCHES = (
    "alpha", "armv6l", "armv7l", "armv7b", "aarch64", "cris", "i686", "ia64", "lm32", "loongarch64", "m68k",
    "microblaze", "microblazeel", "mips", "mipsel", "mips64", "mips64el", "or32", "parisc", "parisc64", "ppc", "ppc64",
    "ppc64le", "ppcemb", "riscv32", "riscv64", "s390", "s390x", "sh4", "sh4eb", "sparc", "sparc64", "unicore32",
    "x86_64", "xtensa", "xtensaeb",
)  # fmt: skip

_WORD_SIZES = {64: ("alpha", "aarch64", "ia64", "loongarch64", "mips64", "mips64el", "parisc64", "ppc64", "ppc64le",
                    "riscv64", "s390x", "sh4eb", "sparc64", "x86_64"), 31: ("s390",)}  # fmt: skip


def word_size(arch: str) -> int:
    """Bits, as libvirt counts them."""
    return next((size for size, arches in _WORD_SIZES.items() if arch in arches), 32)


_POWER = ("POWER6", "POWER7", "POWER8", "POWER9", "POWER10", "POWERPC_e5500", "POWERPC_e6500")
#: Processors that are told apart, but not by a list of models.
_WITHOUT_MODELS = ("aarch64", "armv6l", "armv7b", "armv7l", "s390", "s390x")


def is_x86(arch: str | None) -> bool:
    return arch in ("x86_64", "i686")


def model_names(arch: str) -> tuple[str, ...]:
    """Models by libvirt's names, the oldest first. Raises InvalidArg, NoSupport."""
    if arch not in ARCHES:
        raise InvalidArg(f"cannot find architecture {arch}", hint=f"one of {', '.join(ARCHES)}")
    if is_x86(arch):
        return tuple(x86.models())
    if arch in ("ppc64", "ppc64le"):
        return _POWER
    if arch in _WITHOUT_MODELS:
        return ()
    raise unsupported(arch)


def known_names(arch: str) -> frozenset[str] | None:
    """Which of an emulator's models may be named; None for all of them."""
    if arch in _WITHOUT_MODELS:
        return None
    try:
        return frozenset(model_names(arch))
    except NoSupport:
        return frozenset()


def vendor_of(arch: str, model: str) -> str:
    """Who makes processors of a model; "" for none in particular."""
    if is_x86(arch):
        known = x86.models().get(model)
        return known.vendor if known is not None else ""
    if arch in ("ppc64", "ppc64le") and model in _POWER:
        return "Freescale" if model.startswith("POWERPC_") else "IBM"
    return ""


def unsupported(arch: str | None) -> NoSupport:
    """The error for an architecture whose processors are not told apart."""
    return NoSupport(f"'{arch}' architecture is not supported by CPU driver", domain=From.CPU)
