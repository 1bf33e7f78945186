"""Snapshots and checkpoints of domains: a tree each, older ones first, kept where a `Shelf` keeps them."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from roost.contract import flags as F
from roost.contract.references import DomainIdentity, MomentIdentity, MomentRef
from roost.engine.files import failed, remove_leftovers, sync_directory, write_atomically
from roost.engine.record import Record, RuntimeT
from roost.engine.table import DomainTable
from roost.errors import From, OperationFailed, RoostError

log = logging.getLogger(__name__)

#: Which of a domain's moments are listed; both families of calls have the same numbers for it. The first: only those
#: without a parent, or, below one of them, all and not its children alone.
_FIRST, _LEAVES, _NO_LEAVES = 1, 4, 8
#: What goes with one that is deleted, or goes in its place; the same, too.
_CHILDREN, _CHILDREN_ONLY = 1, 4


class Moment(Protocol):
    """What a snapshot's document and a checkpoint's have in common."""

    @property
    def name(self) -> str | None: ...
    @property
    def parent(self) -> str | None: ...
    @property
    def creation_time(self) -> int | None: ...


MomentT = TypeVar("MomentT", bound=Moment)


class Shelf(Generic[MomentT]):
    """Keeps nothing: for domains that end with the daemon."""

    def load(self, domain: str) -> Iterable[MomentT]:
        """All of a domain's."""
        return ()

    def write(self, domain: str, moment: MomentT) -> None:
        """Keep one, new or changed. Raises SystemCallError; then it is as before."""

    def erase(self, domain: str, name: str) -> None:
        """Raises SystemCallError."""

    def erase_all(self, domain: str) -> None:
        """The domain is gone."""

    def rename(self, old: str, new: str) -> None:
        """The domain has another name."""


class FileShelf(Shelf[MomentT]):
    """DIRECTORY/DOMAIN/NAME.xml, synced before anybody hears of it."""

    def __init__(
        self,
        directory: Path,
        what: str,
        *,
        encode: Callable[[str, MomentT], str],
        decode: Callable[[bytes], MomentT],
        companions: Sequence[str] = (),
    ) -> None:
        self._directory = directory
        self._what = what
        self._encode = encode
        self._decode = decode
        self._companions = companions

    def of(self, domain: str) -> Path:
        """Where a domain's are."""
        return self._directory / domain

    def _path(self, domain: str, name: str) -> Path:
        return self.of(domain) / f"{name}.xml"

    def load(self, domain: str) -> Iterable[MomentT]:
        """A file that cannot be read is logged and left alone."""
        directory = self.of(domain)
        if not directory.is_dir():
            return []
        remove_leftovers(directory)
        found = []
        for path in sorted(directory.glob("*.xml")):
            try:
                moment = self._decode(path.read_bytes())
                if moment.name != path.name.removesuffix(".xml"):
                    raise ValueError(f"it describes '{moment.name}'")
            except (OSError, RoostError, ValueError) as error:
                log.error("ignoring the %s %s: %s", self._what, path, error)  # noqa: TRY400 - no bug of ours
                continue
            found.append(moment)
        return found

    def write(self, domain: str, moment: MomentT) -> None:
        place = self.of(domain)
        if not place.is_dir():
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            sync_directory(self._directory)
        text = self._encode(domain, moment).encode("utf-8", "surrogateescape")
        write_atomically(self._path(domain, moment.name or ""), text, sync=True)

    def erase(self, domain: str, name: str) -> None:
        path = self._path(domain, name)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            for suffix in self._companions:
                _remove(path.with_name(name + suffix))
            sync_directory(path.parent)
        except OSError as error:
            raise failed(f"cannot remove {self._what}", path, error) from error

    def erase_all(self, domain: str) -> None:
        shutil.rmtree(self.of(domain), ignore_errors=True)

    def rename(self, old: str, new: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.rename(self.of(old), self.of(new))
            sync_directory(self._directory)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


class Moments(Generic[MomentT]):
    """Those of all domains; a domain's are read when they are first asked for.

    missing: the error for a name that none has, from the name and a hint. reparent: a moment with another parent.
    """

    def __init__(
        self,
        shelf: Shelf[MomentT],
        *,
        missing: Callable[[str, str], RoostError],
        reparent: Callable[[MomentT, str | None], MomentT],
    ) -> None:
        self._shelf = shelf
        self._missing = missing
        self._reparent = reparent
        self._known: dict[str, dict[str, MomentT]] = {}

    def of(self, domain: str) -> dict[str, MomentT]:
        """A domain's moments by name, older ones first, parents before children."""
        known = self._known.get(domain)
        if known is None:
            known = self._known[domain] = {}
            loaded = tuple(oldest_first(self._shelf.load(domain)))
            names = {each.name for each in loaded}
            for each in loaded:
                # Somebody changed the files: of a circle, one begins it.
                is_in_circle = each.parent in names and each.parent not in known
                known[each.name or ""] = self._reparent(each, None) if is_in_circle else each
        return known

    def get(self, domain: str, name: str) -> MomentT:
        """Raises what `missing` makes, naming those there are."""
        found = self.of(domain).get(name)
        if found is None:
            raise self._missing(name, f"there are {', '.join(self.of(domain)) or 'none'}")
        return found

    def put(self, domain: str, moment: MomentT) -> None:
        """Keep one, new or changed. Raises SystemCallError; then it is as before."""
        known = self.of(domain)
        before = known.get(moment.name or "")
        self._shelf.write(domain, moment)
        known[moment.name or ""] = moment
        if before is not None and before.parent != moment.parent:
            self._known[domain] = {each.name or "": each for each in oldest_first(known.values())}

    def check_new(self, domain: str, name: str | None) -> None:
        """Raises OperationFailed for a name that is taken."""
        if name in self.of(domain):
            raise OperationFailed(
                f"domain moment {name} already exists",
                domain=From.DOMAIN,
                hint="choose another name, or delete it first",
            )

    def remove(self, domain: str, name: str) -> None:
        """Forget one; its children hang on its parent from then on. Raises SystemCallError."""
        gone = self.get(domain, name)
        for child in self.children(domain, name):
            self.put(domain, self._reparent(child, gone.parent))
        self._shelf.erase(domain, name)
        del self.of(domain)[name]

    def remove_all(self, domain: str) -> None:
        """The domain is gone."""
        self._shelf.erase_all(domain)
        self._known.pop(domain, None)

    def rename(self, old: str, new: str) -> None:
        """The domain has another name."""
        self._shelf.rename(old, new)
        self._known.pop(new, None)
        known = self._known.pop(old, None)
        if known is not None:
            self._known[new] = known

    # -- the tree --------------------------------------------------------------------------

    def children(self, domain: str, name: str) -> list[MomentT]:
        return [each for each in self.of(domain).values() if each.parent == name]

    def descendants(self, domain: str, name: str) -> Iterator[MomentT]:
        """Those below one, parents before their children."""
        for child in self.children(domain, name):
            yield child
            yield from self.descendants(domain, child.name or "")

    def going(self, domain: str, name: str, flags: int) -> list[MomentT]:
        """What a call deletes, those with nothing below them first. Raises as `get`."""
        found = self.get(domain, name)
        below = list(self.descendants(domain, name))[::-1] if flags & (_CHILDREN | _CHILDREN_ONLY) else []
        return below if flags & _CHILDREN_ONLY else [*below, found]

    def listed(self, domain: str, flags: int, below: str | None = None) -> list[MomentT]:
        """What a call lists: of all of a domain's, or of those below one. Raises as `get`."""
        known = self.of(domain)
        if below is None:
            found: Sequence[MomentT] = [each for each in known.values() if not flags & _FIRST or each.parent is None]
        else:
            self.get(domain, below)
            found = list(self.descendants(domain, below)) if flags & _FIRST else self.children(domain, below)
        leaves, others = bool(flags & _LEAVES), bool(flags & _NO_LEAVES)
        parents = {each.parent for each in known.values()}
        return [each for each in found if leaves == others or (each.name not in parents) == leaves]


def oldest_first(found: Iterable[MomentT]) -> Iterator[MomentT]:
    """By time; of the same second, parents before children."""
    waiting = sorted(found, key=lambda each: each.creation_time or 0)
    names = {each.name for each in waiting}
    done: set[str | None] = set()
    while waiting:
        ready = next(
            (each for each in waiting if each.parent is None or each.parent in done or each.parent not in names),
            waiting[0],
        )
        waiting.remove(ready)
        done.add(ready.name)
        yield ready


class RecordMoments(Generic[RuntimeT, MomentT]):
    """The calls that only look, which are the same for both kinds.

    prefix: as in RegistryDomains. word: the kind, in the names of libvirt's functions. list_flags: that lists take.
    has, has_not: flags of a list of domains. no_moment: the error for one that is missing.
    """

    prefix = ""
    word: str
    list_flags: int
    has: int
    has_not: int
    no_moment: type[RoostError]
    store: Moments[MomentT]

    def __init__(self, table: DomainTable[RuntimeT], store: Moments[MomentT]) -> None:
        self.table: DomainTable[RuntimeT] = table
        self.store = store
        table.filter_by(self.has, self.has_not, lambda record: bool(store.of(record.name)))
        table.removed.append(lambda record: store.remove_all(record.name))

    def passes(self, moment: MomentT, flags: int) -> bool:
        """Whether a list takes it up, by the flags that are the kind's own."""
        return True

    def check_flags(self, flags: int, allowed: int, function: str) -> None:
        F.check(flags, allowed, self.prefix + function, self.table.error_domain)

    def find(self, moment: MomentIdentity) -> tuple[Record[RuntimeT], MomentT]:
        """The domain and the moment that a client means. Raises NoDomain, and as `Moments.get`."""
        record = self.table.get(moment.dom)
        return record, self.store.get(record.name, moment.name)

    def list_all(self, domain: DomainIdentity, flags: int) -> Sequence[MomentRef]:
        self.check_flags(flags, self.list_flags, f"DomainListAll{self.word}s")
        record = self.table.get(domain)
        return self._refs(record, self.store.listed(record.name, flags), flags)

    def children(self, moment: MomentIdentity, flags: int) -> Sequence[MomentRef]:
        self.check_flags(flags, self.list_flags, f"Domain{self.word}ListAllChildren")
        record, _ = self.find(moment)
        return self._refs(record, self.store.listed(record.name, flags, moment.name), flags)

    def _refs(self, record: Record[RuntimeT], found: Sequence[MomentT], flags: int) -> list[MomentRef]:
        return [MomentRef(each.name or "", record.ref) for each in found if self.passes(each, flags)]

    def lookup(self, domain: DomainIdentity, name: str, flags: int) -> MomentRef:
        self.check_flags(flags, 0, f"Domain{self.word}LookupByName")
        record = self.table.get(domain)
        self.store.get(record.name, name)
        return MomentRef(name, record.ref)

    def parent(self, moment: MomentIdentity, flags: int) -> MomentRef:
        self.check_flags(flags, 0, f"Domain{self.word}GetParent")
        record, found = self.find(moment)
        if found.parent is None:
            text = f"{self.word.lower()} '{found.name}' does not have a parent"
            raise self.no_moment(text, domain=self.table.error_domain)
        return MomentRef(found.parent, record.ref)


__all__ = ["FileShelf", "Moment", "Moments", "RecordMoments", "Shelf", "oldest_first"]
