"""Rules about how images are encrypted and where their passwords are, of disks and of volumes alike."""

from __future__ import annotations

from roost.errors import From, XmlError
from roost.model.domain.devices.disksource import AuthSecret, Encryption, EncryptionSecret


def check_secret_reference(secret: AuthSecret | EncryptionSecret) -> None:
    """A secret is named either by its UUID or by what it is used for. Raises XmlError."""
    if secret.uuid is None and secret.usage is None:
        raise XmlError(
            "missing secret uuid or usage attribute", domain=From.NONE, hint="`virsh secret-list` tells both"
        )
    if secret.uuid is not None and secret.usage is not None:
        raise XmlError("either secret uuid or usage expected", domain=From.NONE, hint="keep one of the two")


def check_encryption(encryption: Encryption) -> None:
    """Raises XmlError for secrets that are not named, and for an IV generator without a cipher."""
    for secret in encryption.secrets:
        check_secret_reference(secret)
    if encryption.format == "luks" and encryption.ivgen is not None and encryption.cipher is None:
        raise XmlError("ivgen element found, but cipher is missing", domain=From.STORAGE)


__all__ = ["check_encryption", "check_secret_reference"]
