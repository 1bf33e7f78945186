"""Domains that end with the connection that started them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from roost.constants import domain as D
from roost.contract.domains import Domains, Lifecycle
from roost.contract.interface import Backend
from roost.contract.references import DomainRef
from roost.errors import RoostError

log = logging.getLogger(__name__)


class Autodestroy:
    """The domains one session has started with VIR_DOMAIN_START_AUTODESTROY.

    spawn: runs a coroutine that outlives the session.
    """

    def __init__(self, spawn: Callable[[Coroutine[Any, Any, None]], object]) -> None:
        self._spawn = spawn
        self._started: list[tuple[Backend, DomainRef]] = []
        self._ended = False

    def started(self, backend: Backend, domain: DomainRef, flags: int) -> None:
        """A domain was started with these flags, perhaps after its client had left."""
        if flags & D.START_AUTODESTROY:
            self._started.append((backend, domain))
            if self._ended:
                self.session_ended()

    def session_ended(self) -> None:
        """Destroy them."""
        self._ended = True
        for backend, domain in self._started:
            self._spawn(_destroy(backend, domain))
        self._started.clear()


async def _destroy(backend: Backend, domain: DomainRef) -> None:
    try:
        # The same domain may have been started again by somebody else: its id tells.
        if backend.get(Domains).lookup_by_uuid(domain.uuid).id == domain.id:
            await backend.get(Lifecycle).destroy(domain, 0)
    except RoostError as error:
        log.info("destroying %s with its connection: %s", domain.name, error)
