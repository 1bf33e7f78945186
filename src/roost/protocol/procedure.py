"""One record per procedure, and the programs that hold them."""

from __future__ import annotations

from roost.wire.codec import Codec
from roost.wire.types import Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _collections_abc import dict_items, dict_keys, dict_values
    from collections.abc import Callable, Iterator
    from typing import Any, Literal

    Fields = tuple[tuple[str, Type], ...]


class Procedure:
    """What the wire knows of one procedure.

    program, version, number: as in the message header.
    name: libvirt's constant without its prefix, "DOMAIN_CREATE".
    api: the public function it stands for, "virDomainCreate"; empty for events.
    args, ret, msg: codecs of arguments, result, and event; None where there are
        none. An event message has `msg` only; where libvirt nests the older event
        in the newer one, the fields stand in one row after `callback_id`.
    acl: permissions, "object:permission"; with a condition after another colon when
        not always needed, see roost.protocol.acl.
    high_priority: may be answered while ordinary calls wait.
    stream: who sends data on the stream the call opens, seen from the client.
    sparse: bit 0 of the call's flags allows holes in the stream.
    fds: which message carries descriptors.
    writes: a read-only connection refuses it, whatever the arguments.
    """

    __slots__ = (
        "_args",
        "_msg",
        "_ret",
        "acl",
        "api",
        "args",
        "fds",
        "high_priority",
        "is_event",
        "msg",
        "name",
        "number",
        "program",
        "ret",
        "sparse",
        "stream",
        "version",
        "writes",
    )
    program: int
    version: int
    args: Codec | None
    ret: Codec | None
    msg: Codec | None
    writes: bool

    def __init__(
        self,
        number: int,
        name: str,
        api: str = "",
        *,
        args: Fields = (),
        ret: Fields = (),
        msg: Fields = (),
        acl: tuple[str, ...] = (),
        high_priority: bool = False,
        stream: Literal["read", "write", "both"] | None = None,
        sparse: bool = False,
        fds: Literal["call", "reply", "both"] | None = None,
    ) -> None:
        self.number = number
        self.name = name
        self.api = api
        self._args = args
        self._ret = ret
        self._msg = msg
        self.is_event = bool(msg)
        self.acl = acl
        self.high_priority = high_priority
        self.stream = stream
        self.sparse = sparse
        self.fds = fds

    def __repr__(self) -> str:
        return f"<Procedure {self.number} {self.name}>"

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            """Codecs and derived facts are made on first use: of 470 procedures most processes use few."""
            if name == "args":
                value = Codec(self._args, f"{self.name} arguments") if self._args else None
            elif name == "ret":
                value = Codec(self._ret, f"{self.name} results") if self._ret else None
            elif name == "msg":
                value = Codec(self._msg, f"{self.name} fields") if self._msg else None
            elif name == "writes":
                # Imported here: no client asks.
                from roost.protocol.readonly import writes

                value = writes(self.name, self.acl)
            else:
                raise AttributeError(name)
            setattr(self, name, value)
            return value


class _ByName(dict[str, Procedure]):
    """Procedures by name. A name loads only the modules it may be in; whatever looks at all names loads all."""

    def __init__(self, find: Callable[[str], Procedure | None], load_all: Callable[[], None]) -> None:
        self._find = find
        self._load_all = load_all

    def __missing__(self, name: str) -> Procedure:
        procedure = self._find(name)
        if procedure is None:
            raise KeyError(name)
        return procedure

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or (isinstance(name, str) and self._find(name) is not None)

    def get(self, name: str, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default

    def __iter__(self) -> Iterator[str]:
        self._load_all()
        return super().__iter__()

    def __len__(self) -> int:
        self._load_all()
        return super().__len__()

    def keys(self) -> dict_keys[str, Procedure]:
        self._load_all()
        return super().keys()

    def values(self) -> dict_values[str, Procedure]:
        self._load_all()
        return super().values()

    def items(self) -> dict_items[str, Procedure]:
        self._load_all()
        return super().items()


class Program:
    """A numbered set of procedures.

    by_name: one name loads only its object family, which keeps a command line quick.
    by_number: all procedures, in order; the first access loads every family.
    """

    __slots__ = ("_families", "_waiting", "by_name", "by_number", "name", "number", "version")
    by_number: dict[int, Procedure]

    def __init__(self, number: int, version: int, name: str, families: dict[str, tuple[str, ...]]) -> None:
        """families: first word of a procedure's name to modules, likeliest first; "" for any word."""
        self.number = number
        self.version = version
        self.name = name
        self.by_name = _ByName(self._find, self._load_all)
        self._families = families
        self._waiting = {module for modules in families.values() for module in modules}

    def __repr__(self) -> str:
        return f"<Program {self.name} {self.number:#x} version {self.version}>"

    def __iter__(self) -> Iterator[Procedure]:
        """All procedures, in the order of their numbers."""
        return iter(self.by_number.values())

    def _find(self, name: str) -> Procedure | None:
        families = self._families
        for module in families.get(name.partition("_")[0]) or families.get("", ()):
            if module in self._waiting:
                self._load(module)
            # Also when it was loaded meanwhile, by another thread.
            if dict.__contains__(self.by_name, name):
                return self.by_name[name]
        return None

    def _load(self, module: str) -> None:
        for procedure in __import__(module, fromlist=["PROCEDURES"]).PROCEDURES:
            procedure.program = self.number
            procedure.version = self.version
            self.by_name[procedure.name] = procedure
        # Last, for other threads: what is loaded twice is the same.
        self._waiting.discard(module)

    def _load_all(self) -> None:
        for module in sorted(self._waiting):
            self._load(module)

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            if name != "by_number":
                raise AttributeError(name)
            ordered = sorted(self.by_name.values(), key=lambda procedure: procedure.number)
            self.by_number = {procedure.number: procedure for procedure in ordered}
            return self.by_number
