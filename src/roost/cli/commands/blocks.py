"""Images of running domains: pull, commit, copy; size and thresholds."""

from __future__ import annotations

from roost.cli.failure import CommandFailed, failing
from roost.cli.scale import scaled
from roost.cli.table import ALIAS, DATA, NUMBER, TEXT, Command, Option, domain_argument, flag
from roost.constants import blocks
from roost.constants import typed_params as kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell
    from roost.client.records import Domain

_MAX = 2**64 - 1
_KINDS = ("Unknown job", "Block Pull", "Block Copy", "Block Commit", "Active Block Commit", "Backup")


def _bandwidth(arguments: Arguments) -> int:
    if arguments.has("bytes"):
        return scaled(arguments, "bandwidth", 1) or 0
    return arguments.number("bandwidth", 0, _MAX) or 0


def _waits(arguments: Arguments, *options: str) -> bool:
    """Whether to wait for the job's end; raises for options that make no sense without."""
    waits = bool(arguments.timeout()) or any(arguments.has(name) for name in ("wait", *options))
    if not waits:
        listed = ["--timeout", "--wait", *(f"--{name}" for name in options)]
        words = f"{', '.join(listed[:-1])}{',' if len(listed) > 2 else ''} or {listed[-1]}"
        for name in ("verbose", "async"):
            if arguments.has(name):
                raise CommandFailed(f"--{name} requires at least one of {words}")
    return waits


def _run(
    shell: Shell, arguments: Arguments, domain: Domain, label: str, word: str, begin: Callable[[], object]
) -> None:
    """Begin a job and wait for it. word: how it is called when it goes wrong. Raises CommandFailed then."""
    from roost.cli.blockwait import BlockWait

    abort = blocks.JOB_ABORT_ASYNC if arguments.has("async") else 0
    with BlockWait(
        shell, domain, arguments.required("path"), label,
        verbose=arguments.has("verbose"), seconds=arguments.timeout(), abort_flags=abort,
    ) as wait:  # fmt: skip
        begin()
        status = wait.until_ended()
    if status in (blocks.JOB_CANCELED, blocks.JOB_FAILED):
        shell.extra(f"\n{word} {'aborted' if status == blocks.JOB_CANCELED else 'failed'}")
        raise CommandFailed


def _end(shell: Shell, arguments: Arguments, domain: Domain, doing: str, flags: int) -> None:
    path = arguments.required("path")
    flags |= blocks.JOB_ABORT_ASYNC if arguments.has("async") else 0
    with failing(f"failed to {doing} job for disk {path}"):
        shell.client.call("DOMAIN_BLOCK_JOB_ABORT", domain, path, flags)


def _blockpull(shell: Shell, arguments: Arguments) -> None:
    path, base, bandwidth = arguments.required("path"), arguments.text("base"), _bandwidth(arguments)
    waits = _waits(arguments)
    flags = blocks.REBASE_RELATIVE if arguments.has("keep-relative") else 0
    domain, client = shell.domain(arguments), shell.client

    def begin() -> None:
        if base is not None or flags:
            unit = blocks.REBASE_BANDWIDTH_BYTES if arguments.has("bytes") else 0
            client.call("DOMAIN_BLOCK_REBASE", domain, path, base, bandwidth, flags | unit)
        else:
            unit = blocks.PULL_BANDWIDTH_BYTES if arguments.has("bytes") else 0
            client.call("DOMAIN_BLOCK_PULL", domain, path, bandwidth, unit)

    if not waits:
        begin()
        shell.extra("Block Pull started")
        return
    _run(shell, arguments, domain, "Block Pull", "Pull", begin)
    shell.extra("\nPull complete")


_COMMIT_FLAGS = (
    ("bytes", blocks.COMMIT_BANDWIDTH_BYTES),
    ("shallow", blocks.COMMIT_SHALLOW),
    ("delete", blocks.COMMIT_DELETE),
    ("keep-relative", blocks.COMMIT_RELATIVE),
)


def _blockcommit(shell: Shell, arguments: Arguments) -> None:
    arguments.exclude(("pivot", "keep-overlay"))
    path, base, top = arguments.required("path"), arguments.text("base"), arguments.text("top")
    bandwidth = _bandwidth(arguments)
    active = any(arguments.has(name) for name in ("active", "pivot", "keep-overlay"))
    flags = arguments.flags(_COMMIT_FLAGS)
    flags |= blocks.COMMIT_ACTIVE if active else 0
    waits = _waits(arguments, "pivot", "keep-overlay")
    domain = shell.domain(arguments)

    def begin() -> None:
        shell.client.call("DOMAIN_BLOCK_COMMIT", domain, path, base, top, bandwidth, flags)

    if not waits:
        begin()
        shell.extra("Active Block Commit started" if active else "Block Commit started")
        return
    _run(shell, arguments, domain, "Block commit", "Commit", begin)
    if arguments.has("pivot"):
        _end(shell, arguments, domain, "pivot", blocks.JOB_ABORT_PIVOT)
        shell.extra("\nSuccessfully pivoted")
    elif arguments.has("keep-overlay"):
        _end(shell, arguments, domain, "finish", 0)
        shell.extra("\nCommit complete, overlay image kept")
    else:
        shell.extra("\nNow in synchronized phase" if active else "\nCommit complete")


def _destination(arguments: Arguments) -> str:
    """The <disk> document of the copy: the user's own, or made of what was said."""
    from roost.cli.xmltree import written

    xml = arguments.text("xml")
    if xml is not None:
        from roost.cli.shell import read_document

        return read_document(xml)
    kind, attribute = ("block", "dev") if arguments.has("blockdev") else ("file", "file")
    source = written("source", {attribute: arguments.text("dest") or ""})
    return written("disk", {"type": kind}, source + written("driver", {"type": arguments.text("format")}))


def _blockcopy(shell: Shell, arguments: Arguments) -> None:
    path, dest, format = arguments.required("path"), arguments.text("dest"), arguments.text("format")
    bandwidth, granularity = _bandwidth(arguments), arguments.number("granularity", 0, 2**32 - 1) or 0
    buffer = arguments.number("buf-size", 0, _MAX) or 0
    flags = arguments.flags(_COPY_FLAGS)
    arguments.exclude(("dest", "xml"), ("format", "xml"), ("blockdev", "xml"), ("pivot", "finish"))
    if dest is None and not arguments.has("xml"):
        raise CommandFailed("need either --dest or --xml")
    waits = _waits(arguments, "pivot", "finish")
    domain, client = shell.domain(arguments), shell.client
    newer = any(arguments.has(name) for name in ("xml", "transient-job", "synchronous-writes", "print-xml"))
    newer = newer or bool(granularity or buffer) or format not in (None, "raw")
    document = _destination(arguments) if newer else ""
    if arguments.has("print-xml"):
        shell.write(document)
        return

    def begin() -> None:
        if newer:
            speed = bandwidth if arguments.has("bytes") else bandwidth << 20
            params = [
                (name, (kind, value))
                for name, kind, value in (
                    (blocks.COPY_BANDWIDTH, kinds.ULLONG, speed),
                    (blocks.COPY_GRANULARITY, kinds.UINT, granularity),
                    (blocks.COPY_BUF_SIZE, kinds.ULLONG, buffer),
                )
                if value
            ]
            client.call("DOMAIN_BLOCK_COPY", domain, path, document, params, flags)
            return
        old = flags | blocks.REBASE_COPY
        old |= blocks.REBASE_COPY_DEV if arguments.has("blockdev") else 0
        old |= blocks.REBASE_COPY_RAW if format == "raw" else 0
        old |= blocks.REBASE_BANDWIDTH_BYTES if arguments.has("bytes") else 0
        client.call("DOMAIN_BLOCK_REBASE", domain, path, dest, bandwidth, old)

    if not waits:
        begin()
        shell.extra("Block Copy started")
        return
    _run(shell, arguments, domain, "Block Copy", "Copy", begin)
    if arguments.has("pivot"):
        _end(shell, arguments, domain, "pivot", blocks.JOB_ABORT_PIVOT)
        shell.extra("\nSuccessfully pivoted")
    elif arguments.has("finish"):
        _end(shell, arguments, domain, "finish", 0)
        shell.extra("\nSuccessfully copied")
    else:
        shell.extra("\nNow in mirroring phase")


_COPY_FLAGS = (
    ("shallow", blocks.COPY_SHALLOW),
    ("reuse-external", blocks.COPY_REUSE_EXT),
    ("transient-job", blocks.COPY_TRANSIENT_JOB),
    ("synchronous-writes", blocks.COPY_SYNCHRONOUS_WRITES),
)


def _blockjob(shell: Shell, arguments: Arguments) -> None:
    arguments.exclude(
        *((one, other) for one in ("raw", "info") for other in ("abort", "pivot", "async", "bandwidth")),
        *(("bytes", other) for other in ("abort", "pivot", "async")),
    )
    domain, path, client = shell.domain(arguments), arguments.required("path"), shell.client
    if arguments.has("bandwidth"):
        unit = blocks.JOB_SPEED_BANDWIDTH_BYTES if arguments.has("bytes") else 0
        client.call("DOMAIN_BLOCK_JOB_SET_SPEED", domain, path, _bandwidth(arguments), unit)
    elif any(arguments.has(name) for name in ("abort", "pivot", "async")):
        flags = blocks.JOB_ABORT_PIVOT if arguments.has("pivot") else 0
        flags |= blocks.JOB_ABORT_ASYNC if arguments.has("async") else 0
        client.call("DOMAIN_BLOCK_JOB_ABORT", domain, path, flags)
    else:
        _show_job(shell, arguments, domain, path)


def _show_job(shell: Shell, arguments: Arguments, domain: Domain, path: str) -> None:
    from roost.cli.blockwait import show_progress
    from roost.cli.scale import show_size

    raw = arguments.has("raw")
    unit = blocks.JOB_INFO_BANDWIDTH_BYTES if arguments.has("bytes") or not raw else 0
    found, kind, bandwidth, done, total = shell.client.call("DOMAIN_GET_BLOCK_JOB_INFO", domain, path, unit)
    if not found:
        if not raw:
            shell.extra(f"No current block job for {path}")
    elif raw:
        shell.write(f" type={_KINDS[kind]}\n bandwidth={bandwidth}\n cur={done}\n end={total}\n")
    else:
        show_progress(_KINDS[kind], total - done, total)
        if bandwidth:
            shell.write(f"    Bandwidth limit: {bandwidth} bytes/s ({show_size(bandwidth)}/s)")
        shell.write("\n")


def _blockresize(shell: Shell, arguments: Arguments) -> None:
    path, size = arguments.required("path"), scaled(arguments, "size", 1024) or 0
    flags = blocks.RESIZE_BYTES if size % 1024 else 0
    domain = shell.domain(arguments)
    with failing(f"Failed to resize block device '{path}'"):
        shell.client.call("DOMAIN_BLOCK_RESIZE", domain, path, size if flags else size // 1024, flags)
    shell.extra(f"Block device '{path}' is resized")


def _domblkthreshold(shell: Shell, arguments: Arguments) -> None:
    device, threshold = arguments.required("dev"), scaled(arguments, "threshold", 1) or 0
    shell.client.call("DOMAIN_SET_BLOCK_THRESHOLD", shell.domain(arguments), device, threshold, 0)


def _disk(name: str = "path") -> Option:
    return Option(name, DATA, "the disk, by its target or its image", required=True, completes="disks")


_BANDWIDTH = Option("bandwidth", NUMBER, "most that is copied a second, in MiB")
_BYTES = flag("bytes", "the bandwidth is in bytes a second")
_WAITING = (
    flag("wait", "wait until it is through"),
    flag("verbose", "with --wait, show the progress"),
    Option("timeout", NUMBER, "with --wait, end it after so many seconds"),
)
_ASYNC = flag("async", "with --wait, do not wait for the end of what is given up")
_RUNNING = domain_argument("active_domains")

COMMANDS = (
    Command(
        "blockcommit",
        _blockcommit,
        "write an image into one below it",
        "What the images from --top down to --base hold goes into the latter. For the disk's own image it takes"
        " --active, and --pivot when both are alike.",
        _RUNNING,
        _disk(),
        _BANDWIDTH,
        Option("base", TEXT, "the image to write into; the lowest, if not given"),
        flag("shallow", "write into the image just below"),
        Option("top", TEXT, "the highest image to take from; the disk's own, if not given"),
        flag("active", "take from the disk's own image, which goes on being written"),
        flag("delete", "remove the files that are of no use any more"),
        *_WAITING,
        flag("pivot", "implies --active --wait; make the base the disk's image"),
        flag("keep-overlay", "implies --active --wait; leave the disk as it is when both are alike"),
        _ASYNC,
        flag("keep-relative", "names of images stay relative to each other"),
        _BYTES,
    ),
    Command(
        "blockcopy",
        _blockcopy,
        "copy a disk while it is in use",
        "The copy follows the disk until it takes its place (--pivot) or is let go of (--finish).",
        _RUNNING,
        _disk(),
        Option("dest", TEXT, "the file or device to copy to"),
        _BANDWIDTH,
        flag("shallow", "share the images below the disk's own"),
        flag("reuse-external", "write into the image that is there"),
        Option("raw", ALIAS, target="format=raw"),
        flag("blockdev", "the destination is a block device"),
        *_WAITING,
        flag("pivot", "implies --wait; make the copy the disk's image"),
        flag("finish", "implies --wait; let go of the copy when both are alike"),
        _ASYNC,
        Option("xml", TEXT, "file with the <disk> document of the destination"),
        Option("format", TEXT, "format of the copy"),
        Option("granularity", NUMBER, "bytes that are copied at least"),
        Option("buf-size", NUMBER, "most bytes under way"),
        _BYTES,
        flag("transient-job", "the copy ends with the running domain"),
        flag("synchronous-writes", "the domain's writes wait for the copy"),
        flag("print-xml", "print the document of the destination and do nothing"),
    ),
    Command(
        "blockjob",
        _blockjob,
        "the job on a disk",
        "Shows it, limits it, or ends it.",
        _RUNNING,
        _disk(),
        flag("abort", "end it"),
        flag("async", "implies --abort; do not wait"),
        flag("pivot", "implies --abort; end a copy or active commit in the place of the disk's image"),
        flag("info", "show it"),
        flag("bytes", "bandwidth in bytes a second"),
        flag("raw", "for programs to read"),
        _BANDWIDTH,
    ),
    Command(
        "blockpull",
        _blockpull,
        "fill a disk's image from those below it",
        "Down to --base, which stays; without it the image stands alone in the end.",
        _RUNNING,
        _disk(),
        _BANDWIDTH,
        Option("base", TEXT, "the image that stays"),
        *_WAITING,
        _ASYNC,
        flag("keep-relative", "names of images stay relative to each other"),
        _BYTES,
    ),
    Command(
        "blockresize",
        _blockresize,
        "the size of a disk",
        "",
        _RUNNING,
        _disk(),
        Option("size", NUMBER, "in KiB, or with a unit", required=True),
    ),
    Command(
        "domblkthreshold",
        _domblkthreshold,
        "an event when an image fills",
        "",
        _RUNNING,
        Option("dev", DATA, "target of the disk, or `vda[3]` for an image below", required=True, completes="disks"),
        Option("threshold", NUMBER, "bytes, or with a unit", required=True),
    ),
)
