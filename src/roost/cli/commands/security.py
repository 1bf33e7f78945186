"""Guests whose memory the host cannot read."""

from __future__ import annotations

from roost.cli.failure import CommandFailed, failing
from roost.cli.table import NUMBER, TEXT, Command, Option, domain_argument
from roost.constants import domain as constants
from roost.constants import typed_params

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell

_MAX_SECRET = 64 * 1024


def _domlaunchsecinfo(shell: Shell, arguments: Arguments) -> None:
    from roost.cli.params import show

    domain = shell.domain(arguments)
    with failing("Unable to get launch security parameters"):
        params = shell.client.call("DOMAIN_GET_LAUNCH_SECURITY_INFO", domain, 0)[0]
    for param in params:
        shell.write(f"{param.field:<15}: {show(param)}\n")


def _domsetlaunchsecstate(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments)
    params: list[tuple[str, tuple[int, int | str]]] = [
        (constants.LAUNCH_SECURITY_SEV_SECRET_HEADER, (typed_params.STRING, _read(arguments.required("secrethdr")))),
        (constants.LAUNCH_SECURITY_SEV_SECRET, (typed_params.STRING, _read(arguments.required("secret")))),
    ]
    address = arguments.number("set-address", 0, 2**64 - 1)
    if address is not None:
        params.append((constants.LAUNCH_SECURITY_SEV_SECRET_SET_ADDRESS, (typed_params.ULLONG, address)))
    with failing("Unable to set launch security state"):
        shell.client.call("DOMAIN_SET_LAUNCH_SECURITY_STATE", domain, params, 0)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read(_MAX_SECRET + 1)
    except OSError as error:
        raise CommandFailed(f"Failed to open file '{path}': {error.strerror}") from None
    if len(text) > _MAX_SECRET:
        raise CommandFailed(f"Failed to read file '{path}': Value too large for defined data type")
    return text


COMMANDS = (
    Command(
        "domlaunchsecinfo",
        _domlaunchsecinfo,
        "what proves that a guest's memory is encrypted",
        "",
        domain_argument("active_domains"),
    ),
    Command(
        "domsetlaunchsecstate",
        _domsetlaunchsecstate,
        "put a secret into a guest's encrypted memory",
        "Of a guest that was started --paused and has not run yet.",
        domain_argument("paused_domains"),
        Option("secrethdr", TEXT, "file with the secret's header, in base64", required=True, named_only=True),
        Option("secret", TEXT, "file with the secret, in base64", required=True, named_only=True),
        Option("set-address", NUMBER, "physical address of the guest to put it at"),
    ),
)
