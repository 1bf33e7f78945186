"""Identifiers for documents that come without."""

from __future__ import annotations

from collections.abc import Callable

#: Gives as many random bytes as asked for: `secrets.token_bytes`, or a fixed one in tests.
Entropy = Callable[[int], bytes]


def random_uuid(entropy: Entropy) -> str:
    """A version 4 UUID."""
    digits = bytearray(entropy(16))
    digits[6] = digits[6] & 0x0F | 0x40
    digits[8] = digits[8] & 0x3F | 0x80
    text = digits.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


__all__ = ["Entropy", "random_uuid"]
