"""One record per procedure, and the programs that hold them."""

from __future__ import annotations

from roost.protocol.readonly import writes
from roost.wire.codec import Codec
from roost.wire.types import Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    Fields = tuple[tuple[str, Type], ...]


class Procedure:
    """What the wire knows of one procedure.

    program, version, number: as in the message header.
    name: libvirt's constant without its prefix, "DOMAIN_CREATE".
    api: the public function it stands for, "virDomainCreate"; empty for events.
    args, ret, msg: codecs of arguments, result, and event; None where there are
        none. An event message has `msg` only; where libvirt nests the older event
        in the newer one, the fields stand in one row after `callback_id`.
    acl: permissions, "object:permission", with ":FLAG" when needed only if that
        flag is set and ":!A|B" when needed only if none of these is.
    high_priority: may be answered while ordinary calls wait.
    stream: who sends data on the stream the call opens, seen from the client.
    sparse: bit 0 of the call's flags allows holes in the stream.
    fds: which message carries descriptors.
    writes: a read-only connection refuses it.
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
                value = writes(self.name, self.acl)
            else:
                raise AttributeError(name)
            setattr(self, name, value)
            return value


class Program:
    """A numbered set of procedures.

    program["DOMAIN_CREATE"]: one procedure; loads only the modules it may be in.
    by_name, by_number: all procedures; the first access loads every module.
    """

    __slots__ = ("_loaded", "_modules", "by_name", "by_number", "name", "number", "version")
    by_name: dict[str, Procedure]
    by_number: dict[int, Procedure]

    def __init__(self, number: int, version: int, name: str, modules: dict[str, tuple[str, ...]]) -> None:
        """modules: first word of a procedure's name to modules, likeliest first; "" for other words."""
        self.number = number
        self.version = version
        self.name = name
        self._modules = modules
        self._loaded: dict[str, Procedure] = {}

    def __repr__(self) -> str:
        return f"<Program {self.name} {self.number:#x} version {self.version}>"

    def __iter__(self) -> Iterator[Procedure]:
        """All procedures, in the order of their numbers."""
        return iter(self.by_number.values())

    def __getitem__(self, name: str) -> Procedure:
        procedure = self._loaded.get(name)
        if procedure is not None:
            return procedure
        word = name.partition("_")[0]
        for module in self._modules.get(word, self._modules.get("", ())):
            self._load(module)
            if name in self._loaded:
                return self._loaded[name]
        raise KeyError(f"{self.name} has no procedure {name}")

    def _load(self, module: str) -> None:
        for procedure in __import__(module, fromlist=["PROCEDURES"]).PROCEDURES:
            procedure.program = self.number
            procedure.version = self.version
            self._loaded[procedure.name] = procedure

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            if name not in ("by_name", "by_number"):
                raise AttributeError(name)
            for module in {module: None for modules in self._modules.values() for module in modules}:
                self._load(module)
            ordered = sorted(self._loaded.values(), key=lambda procedure: procedure.number)
            self.by_name = {procedure.name: procedure for procedure in ordered}
            self.by_number = {procedure.number: procedure for procedure in ordered}
            return getattr(self, name)
