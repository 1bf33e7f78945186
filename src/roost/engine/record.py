"""One domain: its documents, its state, and the job that may change it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from roost.constants import domain as D
from roost.contract.references import DomainRef
from roost.engine.jobs import Job
from roost.errors import From, OperationInvalid
from roost.model import domain as model
from roost.model.domain import Domain

RuntimeT = TypeVar("RuntimeT")
T = TypeVar("T")


class Definition:
    """A persistent definition, kept as text and read into records on demand.

    A thousand parsed documents would cost tens of megabytes and a second of
    start-up; their texts cost five, and most are never looked at. The text is
    our own writer's, secrets included.
    """

    __slots__ = ("_derived", "_public", "text")

    #: The documents read most recently, newest last.
    _recent: OrderedDict[Definition, Domain] = OrderedDict()
    _recent_limit = 64

    def __init__(self, text: str, document: Domain | None = None) -> None:
        self.text = text
        self._public: str | None = None
        self._derived: dict[Callable[[Domain], Any], Any] | None = None
        if document is not None:
            self._remember(document)

    @property
    def document(self) -> Domain:
        """The typed document. Raises what `model.domain.parse` raises if the file was tampered with."""
        found = self._recent.get(self)
        if found is None:
            found = model.parse(self.text)
            self._remember(found)
        else:
            self._recent.move_to_end(self)
        return found

    def _remember(self, document: Domain) -> None:
        self._recent[self] = document
        if len(self._recent) > self._recent_limit:
            self._recent.popitem(last=False)

    def derive(self, rule: Callable[[Domain], T]) -> T:
        """`rule(document)`, worked out once and kept as long as the definition is: keep it small."""
        if self._derived is None:
            self._derived = {}
        if rule not in self._derived:
            self._derived[rule] = rule(self.document)
        found: T = self._derived[rule]
        return found

    def public_text(self) -> str:
        """The text without secrets: shared with `text` where there are none."""
        if self._public is None:
            public = model.format(self.document, secure=False)
            self._public = self.text if public == self.text else public
        return self._public


class Record(Generic[RuntimeT]):
    """A domain the daemon knows.

    uuid: 16 bytes. id: -1 when not running.
    definition: the persistent definition, None for a transient domain.
    live: the document of the running domain, None when not running.
    state, reason: constants.domain's DOMAIN_* numbers and their reasons.
    runtime: what the driver keeps of a running domain (its process, monitor …).
    managed_save: its next start goes on from an image.
    migration_speed: MiB/s that its memory may be moved with; None: as many as there can be.
    """

    __slots__ = (
        "_live_texts", "_live_texts_of", "_ref", "autostart", "autostart_once", "definition", "id", "job", "live",
        "managed_save", "migration_speed", "name", "reason", "runtime", "state", "uuid",
    )  # fmt: skip

    def __init__(self, name: str, uuid: bytes) -> None:
        self.name = name
        self.uuid = uuid
        self.id = -1
        self.definition: Definition | None = None
        self.live: Domain | None = None
        self.state: int = D.SHUTOFF
        self.reason: int = D.SHUTOFF_UNKNOWN
        self.autostart = False
        self.autostart_once = False
        self.managed_save = False
        self.migration_speed: int | None = None
        self.runtime: RuntimeT | None = None
        self.job = Job()
        self._ref = DomainRef(name, uuid, -1)
        self._live_texts_of: Domain | None = None
        self._live_texts: dict[bool, str] = {}

    @property
    def ref(self) -> DomainRef:
        """How clients see it now. Kept between changes: a list of a thousand asks for each of them."""
        ref = self._ref
        if ref.id != self.id or ref.name is not self.name:
            ref = self._ref = DomainRef(self.name, self.uuid, self.id)
        return ref

    @property
    def is_active(self) -> bool:
        return self.id != -1

    @property
    def is_persistent(self) -> bool:
        return self.definition is not None

    @property
    def document(self) -> Domain:
        """The live document of a running domain, else the definition's."""
        if self.live is not None:
            return self.live
        return self.config

    @property
    def config(self) -> Domain:
        """The definition's document. Raises OperationInvalid for a transient domain."""
        if self.definition is None:
            raise OperationInvalid("transient domains do not have any persistent config", domain=From.DOMAIN)
        return self.definition.document

    def set_state(self, state: int, reason: int) -> None:
        self.state, self.reason = state, reason

    def describe(self, *, inactive: bool, secure: bool) -> str:
        """The XML text. inactive: the definition although the domain runs; of a transient one, what it would be."""
        if self.definition is not None and (inactive or self.live is None):
            return self.definition.text if secure else self.definition.public_text()
        if self.live is None:
            return model.format(self.config, secure=secure)
        text = self._live_text(self.live, secure)
        if inactive:
            # What only a running guest has is marked in the records: the reader leaves it out.
            return model.format(model.parse(text), secure=secure)
        return text

    def _live_text(self, live: Domain, secure: bool) -> str:
        if self._live_texts_of is not live:
            self._live_texts_of, self._live_texts = live, {}
        text = self._live_texts.get(secure)
        if text is None:
            text = self._live_texts[secure] = model.format(live, secure=secure)
        return text
