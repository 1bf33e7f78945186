"""The secret document: what a secret is for. The value itself is never part of it.

`parse` makes a Secret of XML, `complete` fills in what libvirt adds, `format`
writes it. May enter: records and dry rules of secrets.
"""

from roost.model.secret.document import complete, format, parse
from roost.model.secret.secret import (
    AnyUsage,
    CephUsage,
    IscsiUsage,
    NoUsage,
    Secret,
    TlsUsage,
    VolumeUsage,
    VtpmUsage,
)

__all__ = [
    "AnyUsage", "CephUsage", "IscsiUsage", "NoUsage", "Secret", "TlsUsage", "VolumeUsage", "VtpmUsage", "complete",
    "format", "parse",
]  # fmt: skip
