"""The records that commands are declared with.

Everything about a command is in its record: the parser, the help texts and the
shell completion are derived from it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell

    Handler = Callable[[Shell, Arguments], None]

FLAG, TEXT, NUMBER, DATA, REST, ALIAS = "flag", "text", "number", "data", "rest", "alias"


class Option:
    """One option of a command.

    kind: FLAG takes no value; TEXT and NUMBER are optional values; DATA is a
        required positional value; REST takes all remaining words; ALIAS is
        another spelling of `target`, which may be `option=value`.
    named_only: cannot be given by position.
    completes: the name of a function in `completers`.
    """

    __slots__ = ("completes", "empty_ok", "help", "kind", "name", "named_only", "required", "target")

    def __init__(
        self,
        name: str,
        kind: str,
        help: str = "",
        *,
        required: bool = False,
        empty_ok: bool = False,
        named_only: bool = False,
        completes: str = "",
        target: str = "",
    ) -> None:
        self.name = name
        self.kind = kind
        self.help = help
        self.required = required
        self.empty_ok = empty_ok
        self.named_only = named_only
        self.completes = completes
        self.target = target


class Command:
    """One command.

    description: for the help page; "" repeats nothing.
    connects: whether the shell connects before the handler runs.
    hidden: works, but help does not list it.
    handler: called with the shell and the arguments; failing is raising.
    """

    __slots__ = ("connects", "description", "handler", "help", "hidden", "name", "options")

    def __init__(
        self,
        name: str,
        handler: Handler,
        help: str,
        description: str,
        *options: Option,
        connects: bool = True,
        hidden: bool = False,
    ) -> None:
        self.name = name
        self.handler = handler
        self.help = help
        self.description = description
        self.options = options
        self.connects = connects
        self.hidden = hidden


def flag(name: str, help: str) -> Option:
    """An option without a value."""
    return Option(name, FLAG, help)


def domain_argument(completes: str = "domains") -> Option:
    """The domain most commands begin with."""
    return Option("domain", DATA, "name, id or UUID of the domain", required=True, completes=completes)


#: What is shown of a document: all of it, or parts.
PARTS = (
    Option("xpath", TEXT, "print only the nodes that this XPath expression selects", named_only=True),
    flag("wrap", "put the selected nodes into one element"),
)


def config_live_current(subject: str = "") -> tuple[Option, Option, Option]:
    """The three flags that choose between the persistent and the running configuration."""
    verb = subject or "affect"
    return (
        flag("config", f"{verb} the configuration used at the next start"),
        flag("live", f"{verb} the running domain"),
        flag("current", f"{verb} the state the domain is in now"),
    )
