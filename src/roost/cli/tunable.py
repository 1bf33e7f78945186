"""Commands that show or set a family of typed parameters of a domain."""

from __future__ import annotations

from roost.cli.failure import failing
from roost.cli.params import show
from roost.constants import domain as constants
from roost.constants import typed_params as kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell
    from roost.client.records import TypedParam

    #: (name, (type, value)), as the protocol has it.
    Sent = tuple[str, tuple[int, int | str]]


def affected(arguments: Arguments) -> int:
    """The flags that --config and --live mean. Raises CommandFailed for what excludes each other."""
    arguments.exclude(("current", "live"), ("current", "config"))
    return constants.AFFECT_CONFIG * arguments.has("config") | constants.AFFECT_LIVE * arguments.has("live")


def line(shell: Shell, field: str, value: str) -> None:
    """A parameter and its value."""
    shell.write(f"{field:<15}: {value}\n")


class Tunable:
    """A family of parameters that one command shows and sets.

    get, set: procedures. counted, shown, failed: how virsh words that their number, their values or their change
    could not be had.
    """

    __slots__ = ("counted", "failed", "get", "set", "shown", "text")

    def __init__(
        self, name: str, counted: str, shown: str, failed: str, text: Callable[[TypedParam], str] = show
    ) -> None:
        self.get, self.set = f"DOMAIN_GET_{name}", f"DOMAIN_SET_{name}"
        self.counted, self.shown, self.failed = counted, shown, failed
        self.text = text

    def run(self, shell: Shell, arguments: Arguments, params: Sequence[Sent], *device: str) -> None:
        """Set what is given; show all when nothing is."""
        flags = affected(arguments)
        domain = shell.domain(arguments)
        call = shell.client.call
        if params:
            with failing(self.failed):
                call(self.set, domain, *device, params, flags)
            return
        with failing(self.counted):
            count = call(self.get, domain, *device, 0, flags)[1]
        if not count:
            return
        with failing(self.shown):
            found = call(self.get, domain, *device, count, flags | kinds.STRING_OKAY)[0]
        for param in found:
            line(shell, param.field, self.text(param))
