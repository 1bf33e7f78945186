"""The documents of network filters and of their bindings to guests' interfaces.

`parse` makes a Filter of XML, `complete` adds what libvirt adds at define and
refuses what it refuses, `format` writes it back; `parse_binding`,
`complete_binding` and `format_binding` do the same for a FilterBinding. May
enter: a record for each protocol, and dry rules over them.
"""

from roost.model.nwfilter.binding import FilterBinding, complete_binding
from roost.model.nwfilter.complete import complete
from roost.model.nwfilter.document import format, format_binding, parse, parse_binding
from roost.model.nwfilter.filter import Filter

__all__ = [
    "Filter", "FilterBinding", "complete", "complete_binding", "format", "format_binding", "parse", "parse_binding",
]  # fmt: skip
