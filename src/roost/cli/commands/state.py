"""Domains on disk: saved and restored, and dumped for whoever looks for what went wrong."""

from __future__ import annotations

from roost.cli.failure import CommandFailed, failing
from roost.cli.shell import read_document
from roost.cli.table import DATA, NUMBER, PARTS, TEXT, Command, Option, domain_argument, flag
from roost.constants import domain as constants
from roost.constants import typed_params as kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell

_SAVE_FLAGS = (
    ("bypass-cache", constants.SAVE_BYPASS_CACHE),
    ("running", constants.SAVE_RUNNING),
    ("paused", constants.SAVE_PAUSED),
    ("reset-nvram", constants.SAVE_RESET_NVRAM),
)
_DUMP_FLAGS = (
    ("live", constants.DUMP_LIVE),
    ("crash", constants.DUMP_CRASH),
    ("bypass-cache", constants.DUMP_BYPASS_CACHE),
    ("reset", constants.DUMP_RESET),
    ("memory-only", constants.DUMP_MEMORY_ONLY),
)
_FORMATS = {
    "elf": constants.CORE_DUMP_FORMAT_RAW,
    "kdump-zlib": constants.CORE_DUMP_FORMAT_KDUMP_ZLIB,
    "kdump-lzo": constants.CORE_DUMP_FORMAT_KDUMP_LZO,
    "kdump-snappy": constants.CORE_DUMP_FORMAT_KDUMP_SNAPPY,
    "win-dmp": constants.CORE_DUMP_FORMAT_WIN_DMP,
}


def _absolute(path: str) -> str:
    """The daemon has another working directory."""
    import os

    return os.path.abspath(path)


def _document(arguments: Arguments) -> str | None:
    path = arguments.text("xml")
    return read_document(path) if path is not None else None


def _parameters(arguments: Arguments, path: str, document: str | None) -> list[tuple[str, tuple[int, int | str]]]:
    """An image and what only parameters can say of it; [] when flags can say it all."""
    format, channels = arguments.text("image-format"), arguments.number("parallel-channels")
    if format is None and channels is None:
        return []
    texts = (
        (constants.SAVE_PARAM_FILE, _absolute(path)),
        (constants.SAVE_PARAM_DXML, document),
        (constants.SAVE_PARAM_IMAGE_FORMAT, format),
    )
    found: list[tuple[str, tuple[int, int | str]]]
    found = [(field, (kinds.STRING, value)) for field, value in texts if value is not None]
    if channels is not None:
        found.append((constants.SAVE_PARAM_PARALLEL_CHANNELS, (kinds.INT, channels)))
    return found


def _save(shell: Shell, arguments: Arguments) -> None:
    from roost.cli.jobwatch import watch

    name, path = arguments.required("domain"), arguments.required("file")
    domain, flags, document = shell.domain(arguments), arguments.flags(_SAVE_FLAGS), _document(arguments)
    client, parameters = shell.client, _parameters(arguments, path, document)

    def work() -> None:
        if parameters:
            client.call("DOMAIN_SAVE_PARAMS", domain, parameters, flags)
        elif flags or document is not None:
            client.call("DOMAIN_SAVE_FLAGS", domain, _absolute(path), document, flags)
        else:
            client.call("DOMAIN_SAVE", domain, _absolute(path))

    with failing(f"Failed to save domain '{name}' to {path}"):
        watch(shell, domain, "Save", work, verbose=arguments.has("verbose"))
    shell.extra(f"\nDomain '{name}' saved to {path}\n")


def _restore(shell: Shell, arguments: Arguments) -> None:
    path = arguments.required("file")
    flags, document = arguments.flags(_SAVE_FLAGS), _document(arguments)
    parameters = _parameters(arguments, path, document)
    with failing(f"Failed to restore domain from {path}"):
        if parameters:
            shell.client.call("DOMAIN_RESTORE_PARAMS", parameters, flags)
        elif flags or document is not None:
            shell.client.call("DOMAIN_RESTORE_FLAGS", _absolute(path), document, flags)
        else:
            shell.client.call("DOMAIN_RESTORE", _absolute(path))
    shell.extra(f"Domain restored from {path}\n")


def _managedsave(shell: Shell, arguments: Arguments) -> None:
    from roost.cli.jobwatch import watch

    name, domain, flags = arguments.required("domain"), shell.domain(arguments), arguments.flags(_SAVE_FLAGS)
    client = shell.client
    with failing(f"Failed to save domain '{name}' state"):
        watch(
            shell,
            domain,
            "Managedsave",
            lambda: client.call("DOMAIN_MANAGED_SAVE", domain, flags),
            verbose=arguments.has("verbose"),
        )
    shell.extra(f"\nDomain '{name}' state saved by libvirt\n")


def _managedsave_remove(shell: Shell, arguments: Arguments) -> None:
    name, domain = arguments.required("domain"), shell.domain(arguments)
    with failing("Failed to check for domain managed save image"):
        has_image = shell.client.call("DOMAIN_HAS_MANAGED_SAVE_IMAGE", domain, 0)[0]
    if not has_image:
        shell.extra(f"Domain '{name}' has no manage save image; removal skipped")
        return
    with failing(f"Failed to remove managed save image for domain '{name}'"):
        shell.client.call("DOMAIN_MANAGED_SAVE_REMOVE", domain, 0)
    shell.extra(f"Removed managedsave image for domain '{name}'")


def _secure(arguments: Arguments) -> int:
    return constants.SAVE_IMAGE_XML_SECURE * arguments.has("security-info")


def _image_dumpxml(shell: Shell, arguments: Arguments) -> None:
    from roost.cli.xpath import show

    path = _absolute(arguments.required("file"))
    show(shell, arguments, shell.client.call("DOMAIN_SAVE_IMAGE_GET_XML_DESC", path, _secure(arguments))[0])


def _managedsave_dumpxml(shell: Shell, arguments: Arguments) -> None:
    from roost.cli.xpath import show

    domain = shell.domain(arguments)
    show(shell, arguments, shell.client.call("DOMAIN_MANAGED_SAVE_GET_XML_DESC", domain, _secure(arguments))[0])


def _image_define(shell: Shell, arguments: Arguments) -> None:
    path, document = arguments.required("file"), read_document(arguments.required("xml"))
    with failing(f"Failed to update {path}"):
        shell.client.call("DOMAIN_SAVE_IMAGE_DEFINE_XML", _absolute(path), document, arguments.flags(_SAVE_FLAGS))
    shell.extra(f"State file {path} updated.\n")


def _managedsave_define(shell: Shell, arguments: Arguments) -> None:
    arguments.exclude(("running", "paused"))
    document = read_document(arguments.required("xml"))
    domain = shell.domain(arguments)
    with failing(f"Failed to update {domain.name} XML configuration"):
        shell.client.call("DOMAIN_MANAGED_SAVE_DEFINE_XML", domain, document, arguments.flags(_SAVE_FLAGS))
    shell.extra(f"Managed save state file of domain '{domain.name}' updated.\n")


def _image_edit(shell: Shell, arguments: Arguments) -> None:
    arguments.exclude(("running", "paused"))
    path = arguments.required("file")
    if _edit(shell, arguments, "DOMAIN_SAVE_IMAGE", _absolute(path)):
        shell.extra(f"State file {path} edited.\n")
    else:
        shell.extra(f"Saved image {path} XML configuration not changed.\n")


def _managedsave_edit(shell: Shell, arguments: Arguments) -> None:
    arguments.exclude(("running", "paused"))
    domain = shell.domain(arguments)
    if _edit(shell, arguments, "DOMAIN_MANAGED_SAVE", domain):
        shell.extra(f"Managed save image of Domain '{domain.name}' XML configuration edited.\n")
    else:
        shell.extra(f"Managed save image of domain '{domain.name}' XML configuration not changed.\n")


def _edit(shell: Shell, arguments: Arguments, procedures: str, image: object) -> bool:
    """Whether it was changed."""
    from roost.cli.editor import edit

    client, flags = shell.client, arguments.flags(_SAVE_FLAGS)

    def read() -> str:
        text: str = client.call(f"{procedures}_GET_XML_DESC", image, constants.SAVE_IMAGE_XML_SECURE)[0]
        return text

    def write(text: str, *, relaxed: bool) -> str:
        client.call(f"{procedures}_DEFINE_XML", image, text, flags)
        return ""

    return edit(shell, read=read, write=write, can_relax=False) is not None


def _dump(shell: Shell, arguments: Arguments) -> None:
    from roost.cli.jobwatch import watch

    name, path = arguments.required("domain"), arguments.required("file")
    domain, flags = shell.domain(arguments), arguments.flags(_DUMP_FLAGS)
    client, format = shell.client, constants.CORE_DUMP_FORMAT_RAW
    word = arguments.text("format")
    if word is not None:
        if not flags & constants.DUMP_MEMORY_ONLY:
            raise CommandFailed("--format only works with --memory-only")
        if word not in _FORMATS:
            raise CommandFailed(
                f"format '{word}' is not supported, expecting 'kdump-zlib', 'kdump-lzo', 'kdump-snappy', "
                "'win-dmp' or 'elf'"
            )
        format = _FORMATS[word]

    def work() -> None:
        if format != constants.CORE_DUMP_FORMAT_RAW:
            client.call("DOMAIN_CORE_DUMP_WITH_FORMAT", domain, _absolute(path), format, flags)
        else:
            client.call("DOMAIN_CORE_DUMP", domain, _absolute(path), flags)

    with failing(f"Failed to core dump domain '{name}' to {path}"):
        watch(shell, domain, "Dump", work, verbose=arguments.has("verbose"))
    shell.extra(f"\nDomain '{name}' dumped to {path}\n")


_BYPASS_CACHE = flag("bypass-cache", "keep the image out of the host's cache")
_RUNNING = flag("running", "let it run when it is restored")
_PAUSED = flag("paused", "leave it paused when it is restored")
_VERBOSE = flag("verbose", "show the progress")
_IMAGE = Option("file", DATA, "the file with the saved state", required=True, completes="files")
_NEW_DOCUMENT = Option("xml", DATA, "the file with the new XML", required=True, completes="files")
_SECURITY_INFO = flag("security-info", "with passwords and keys")

COMMANDS = (
    Command(
        "dump",
        _dump,
        "write a domain's memory to a file for analysis",
        "",
        domain_argument("active_domains"),
        Option("file", DATA, "where to write it", required=True, completes="files"),
        flag("live", "let it run meanwhile"),
        flag("crash", "destroy it afterwards"),
        _BYPASS_CACHE,
        flag("reset", "reset it afterwards"),
        _VERBOSE,
        flag("memory-only", "only its memory, as crash analysers read it"),
        Option("format", TEXT, "of a memory-only dump: elf, kdump-zlib, kdump-lzo, kdump-snappy, win-dmp"),
    ),
    Command(
        "managedsave",
        _managedsave,
        "save a domain and stop it; its next start goes on from there",
        "",
        domain_argument("active_domains"),
        _BYPASS_CACHE,
        _RUNNING,
        _PAUSED,
        _VERBOSE,
    ),
    Command(
        "managedsave-define",
        _managedsave_define,
        "replace the XML in a domain's managed save image",
        "",
        domain_argument(),
        _NEW_DOCUMENT,
        _RUNNING,
        _PAUSED,
    ),
    Command(
        "managedsave-dumpxml",
        _managedsave_dumpxml,
        "the XML in a domain's managed save image",
        "",
        domain_argument(),
        _SECURITY_INFO,
        *PARTS,
    ),
    Command(
        "managedsave-edit",
        _managedsave_edit,
        "edit the XML in a domain's managed save image",
        "",
        domain_argument(),
        _RUNNING,
        _PAUSED,
    ),
    Command("managedsave-remove", _managedsave_remove, "remove a domain's managed save image", "", domain_argument()),
    Command(
        "restore",
        _restore,
        "start a domain from a saved state",
        "",
        _IMAGE,
        flag("bypass-cache", "keep the image out of the host's cache while loading it"),
        Option("parallel-channels", NUMBER, "how many channels read a sparse image"),
        Option("xml", TEXT, "a file with XML to use instead of the image's", completes="files"),
        flag("running", "let it run even if it was saved paused"),
        flag("paused", "leave it paused even if it was saved running"),
        flag("reset-nvram", "begin with fresh firmware settings"),
    ),
    Command(
        "save",
        _save,
        "save a domain's state to a file and stop it",
        "",
        domain_argument("active_domains"),
        Option("file", DATA, "where to save it", required=True, completes="files"),
        _BYPASS_CACHE,
        Option("parallel-channels", NUMBER, "how many channels write a sparse image"),
        Option("image-format", TEXT, "how memory is written: raw, gzip, bzip2, xz, lzop, zstd, sparse"),
        Option("xml", TEXT, "a file with XML to restore it with", completes="files"),
        _RUNNING,
        _PAUSED,
        _VERBOSE,
    ),
    Command(
        "save-image-define",
        _image_define,
        "replace the XML in a saved state",
        "",
        _IMAGE,
        _NEW_DOCUMENT,
        _RUNNING,
        _PAUSED,
    ),
    Command("save-image-dumpxml", _image_dumpxml, "the XML in a saved state", "", _IMAGE, _SECURITY_INFO, *PARTS),
    Command("save-image-edit", _image_edit, "edit the XML in a saved state", "", _IMAGE, _RUNNING, _PAUSED),
)
