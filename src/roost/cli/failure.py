"""How a command fails."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from roost.errors import RoostError


class CommandFailed(Exception):
    """A command failed; each of `lines` is printed as an error, `cause` after them.

    Without lines and cause the command fails silently: its output has said why.
    """

    def __init__(self, *lines: str, cause: RoostError | None = None) -> None:
        super().__init__(*lines)
        self.lines = lines
        self.cause = cause


class failing:
    """`with failing("Failed to start"):` puts a line of ours before the daemon's error."""

    __slots__ = ("line",)

    def __init__(self, line: str) -> None:
        self.line = line

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The class is looked up only once something has failed, so that it need not be loaded before.
        if error is not None and not isinstance(error, CommandFailed):
            from roost.errors import RoostError

            if isinstance(error, RoostError):
                raise CommandFailed(self.line, cause=error) from None
