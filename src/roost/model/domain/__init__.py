"""The domain document: typed records, one file per section and per class of device.

`parse` makes a Domain of XML, `format` writes it back as libvirt would.
Records are frozen; a changed one is made with `msgspec.structs.replace`.
Rules (completion, addresses, validation, ABI comparison) are modules beside
the records. May enter: records, and dry rules over them.
"""

from roost.model.domain.document import format, format_device, parse, parse_destination, parse_device
from roost.model.domain.domain import Domain

__all__ = ["Domain", "format", "format_device", "parse", "parse_destination", "parse_device"]
