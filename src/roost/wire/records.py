"""Named tuples that cost nothing to import.

For mypy and readers a `Record` is `typing.NamedTuple`. At run time it is made
here, because typing and collections take longer to import than the rest of a
command line's start.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple as Record
else:
    from _collections import _tuplegetter

    class _RecordMeta(type):
        def __new__(mcs, name, bases, namespace):
            fields = tuple(namespace.get("__annotations__", ()))
            namespace["__slots__"] = ()
            namespace["_fields"] = namespace["__match_args__"] = fields
            for index, field in enumerate(fields):
                namespace[field] = _tuplegetter(index, f"Field {index}")
            return super().__new__(mcs, name, bases, namespace)

    class Record(tuple, metaclass=_RecordMeta):
        def __new__(cls, *values, **named):
            fields = cls._fields
            if named:
                try:
                    values += tuple([named.pop(field) for field in fields[len(values) :]])
                except KeyError as missing:
                    raise TypeError(f"{cls.__name__}() misses {missing}") from None
            if named or len(values) != len(fields):
                raise TypeError(f"{cls.__name__}() takes {', '.join(fields)}")
            return tuple.__new__(cls, values)

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def _replace(self, **changes):
            return type(self)(**(self._asdict() | changes))

        def __getnewargs__(self):
            return tuple(self)

        def __repr__(self):
            fields = ", ".join([f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True)])
            return f"{type(self).__name__}({fields})"


__all__ = ["Record"]
