"""A guest's agent as the driver keeps it: connected for as long as somebody in the guest has the channel open."""

from __future__ import annotations

import logging

from roost.constants import domain as D
from roost.drivers.qemu.agent.client import SYNC_TIMEOUT, AgentClient
from roost.drivers.qemu.agent.messages import Answer, error_of
from roost.engine.jobs import Job
from roost.errors import AgentUnresponsive, ArgumentUnsupported, From
from roost.model.domain import Domain
from roost.model.domain.devices.chardev import Channel, UnixChar, VirtioChannel

log = logging.getLogger(__name__)

#: The channel's name in the guest.
CHANNEL = "org.qemu.guest_agent.0"


class AgentLink:
    """The agent of one guest.

    timeout: seconds that commands may take, or constants.domain.AGENT_RESPONSE_TIMEOUT_*.
    job: commands take turns on it, and on nothing else: whatever needs no agent does not wait for one.
    """

    def __init__(self) -> None:
        self.timeout: int = D.AGENT_RESPONSE_TIMEOUT_BLOCK
        self.job = Job()
        self._client: AgentClient | None = None
        self._failed = False

    @property
    def is_connected(self) -> bool:
        return self._client is not None and not self._client.is_closed

    def follow(self, live: Domain | None) -> None:
        """Connect or disconnect as the channel's state in the live document says.

        A channel that cannot be reached is logged, and commands say so: the guest is well without.
        """
        channel = agent_channel(live) if live is not None else None
        if channel is None or not _is_open(channel):
            self.close()
        elif not self.is_connected:
            self._client = _connect(channel)
            self._failed = self._client is None

    def notify(self, event: str) -> None:
        """QEMU's event of that name has happened."""
        if self._client is not None:
            self._client.notify(event)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client, self._failed = None, False

    def require(self, live: Domain | None) -> AgentClient:
        """The connection. Raises ArgumentUnsupported without a channel, AgentUnresponsive without an agent on it."""
        if not self.is_connected:
            self.follow(live)  # the guest has it open, but it ended on our side, or somebody else was served
        if self._failed:
            raise AgentUnresponsive("QEMU guest agent is not available due to an error", domain=From.QEMU)
        if self._client is None:
            if live is not None and agent_channel(live) is not None:
                raise AgentUnresponsive(
                    "QEMU guest agent is not connected",
                    domain=From.QEMU,
                    hint="install and start qemu-guest-agent in the guest",
                )
            raise ArgumentUnsupported(
                "QEMU guest agent is not configured",
                domain=From.QEMU,
                hint=f"add a <channel type='unix'> with <target type='virtio' name='{CHANNEL}'/>",
            )
        return self._client

    async def ask(
        self, live: Domain | None, line: bytes, name: str, *, patience: int | None = None, event: str | None = None
    ) -> Answer | None:
        """The answer to a command; see AgentClient.execute. Only in this link's job.

        patience: as the timeout, which it is when None. Raises AgentCommandError when the agent refuses.
        """
        client = self.require(live)
        wanted = self.timeout if patience is None else patience
        answer = await client.execute(line, seconds_of(wanted), self._sync_seconds(), event=event)
        refusal = error_of(answer, name) if answer is not None else None
        if refusal is not None:
            raise refusal
        return answer

    def _sync_seconds(self) -> float:
        return float(min(self.timeout, SYNC_TIMEOUT)) if self.timeout >= 0 else SYNC_TIMEOUT


def seconds_of(timeout: int) -> float | None:
    """A timeout of the API in seconds; None for ever."""
    if timeout == D.AGENT_RESPONSE_TIMEOUT_BLOCK:
        return None
    return SYNC_TIMEOUT if timeout == D.AGENT_RESPONSE_TIMEOUT_DEFAULT else float(timeout)


def _is_open(channel: Channel) -> bool:
    return isinstance(channel.target, VirtioChannel) and channel.target.state == "connected"


def _connect(channel: Channel) -> AgentClient | None:
    source = channel.source
    if not isinstance(source, UnixChar) or source.path is None:
        log.warning("a guest agent cannot be asked through a channel of type %s", channel.type)
        return None
    try:
        return AgentClient.connect(source.path)
    except OSError as error:
        log.warning("cannot connect to the guest agent at %s: %s", source.path, error)
        return None


def agent_channel(live: Domain) -> Channel | None:
    """The channel that the agent has."""
    for channel in live.devices.channels:
        if isinstance(channel.target, VirtioChannel) and channel.target.name == CHANNEL:
            return channel
    return None
