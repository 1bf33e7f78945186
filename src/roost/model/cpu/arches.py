"""Architectures, and the models that are known of each."""

from __future__ import annotations

from roost.errors import From, InvalidArg, NoSupport
from roost.model.cpu import x86

#: Every guest architecture that documents may name.
ARCHES = (
    "aarch64", "alpha", "armv6l", "armv7b", "armv7l", "cris", "i686", "ia64", "lm32", "loongarch64", "m68k",
    "microblaze", "microblazeel", "mips", "mips64", "mips64el", "mipsel", "or32", "parisc", "parisc64", "ppc", "ppc64",
    "ppc64le", "ppcemb", "riscv32", "riscv64", "s390", "s390x", "sh4", "sh4eb", "sparc", "sparc64", "unicore32",
    "x86_64", "xtensa", "xtensaeb",
)  # fmt: skip

_POWER = ("POWER6", "POWER7", "POWER8", "POWER9", "POWER10", "POWERPC_e5500", "POWERPC_e6500")
#: Processors that are told apart, but not by a list of models.
_WITHOUT_MODELS = ("aarch64", "armv6l", "armv7b", "armv7l", "s390", "s390x")


def is_x86(arch: str | None) -> bool:
    return arch in ("x86_64", "i686")


def model_names(arch: str) -> tuple[str, ...]:
    """Models by libvirt's names, the oldest first. Raises InvalidArg, NoSupport."""
    if arch not in ARCHES:
        raise InvalidArg(f"cannot find architecture {arch}", domain=From.QEMU, hint=f"one of {', '.join(ARCHES)}")
    if is_x86(arch):
        return tuple(x86.models())
    if arch in ("ppc64", "ppc64le"):
        return _POWER
    if arch in _WITHOUT_MODELS:
        return ()
    raise unsupported(arch)


def unsupported(arch: str | None) -> NoSupport:
    """The error for an architecture whose processors are not told apart."""
    return NoSupport(f"'{arch}' architecture is not supported by CPU driver", domain=From.CPU)
