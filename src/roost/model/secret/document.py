"""Secret documents in and out."""

from __future__ import annotations

import secrets

from msgspec.structs import replace

from roost.errors import From
from roost.model.secret.secret import NoUsage, Secret
from roost.model.shared.identity import Entropy, random_uuid
from roost.xml import format_document, parse_document


def parse(xml: str | bytes, *, validate: bool = False) -> Secret:
    """The secret an XML document describes. Raises RoostError with libvirt's code; nothing else, whatever the bytes."""
    return parse_document(xml, Secret, "secret", name="(definition_of_secret)", origin=From.SECRET, validate=validate)


def complete(secret: Secret, *, entropy: Entropy = secrets.token_bytes) -> Secret:
    """The document as it will be kept and shown: with a UUID, and a usage only when it says something."""
    return replace(
        secret,
        uuid=secret.uuid or random_uuid(entropy),
        usage=None if isinstance(secret.usage, NoUsage) else secret.usage,
    )


def format(secret: Secret) -> str:
    """The document, laid out as libvirt does."""
    return format_document(secret, "secret")


__all__ = ["complete", "format", "parse"]
