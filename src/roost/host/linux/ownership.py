"""Files that guests' processes must reach: checked beforehand, lent, given back."""

from __future__ import annotations

import contextlib
import errno
import grp
import logging
import os
import pwd
import stat
from pathlib import Path

from roost.errors import ConfigUnsupported, SystemCallError
from roost.host.api import Account, Owner
from roost.host.linux.system import system_error

log = logging.getLogger(__name__)

_ACL = "system.posix_acl_access"
#: File systems that refuse chown although the file is there: the guest may reach it all the same.
_NO_CHOWN = (errno.EPERM, errno.EROFS, errno.EOPNOTSUPP, errno.EINVAL)


def find_account(user: str, group: str = "") -> Account:
    """The account for names or numbers ("+107" or "107"), with its supplementary groups.

    Raises ConfigUnsupported for one that does not exist.
    """
    try:
        entry = pwd.getpwuid(int(user)) if user.lstrip("+").isdigit() else pwd.getpwnam(user)
    except KeyError:
        if not user.lstrip("+").isdigit():
            raise ConfigUnsupported(
                f"user '{user}' does not exist", hint="set 'user' in qemu.conf to one that does"
            ) from None
        return Account(user, int(user), _gid(group) if group else int(user))
    gid = _gid(group) if group else entry.pw_gid
    return Account(entry.pw_name, entry.pw_uid, gid, tuple(os.getgrouplist(entry.pw_name, gid)))


#: Accounts that distributions make for guests, with their groups.
_GUEST_ACCOUNTS = (("libvirt-qemu", "libvirt-qemu"), ("libvirt-qemu", "kvm"), ("qemu", "qemu"), ("nobody", ""))


def guest_account(user: str = "", group: str = "") -> Account | None:
    """Whom guests of a daemon run by root run as: the account configured, or the distribution's.

    None for root itself. Raises ConfigUnsupported for one that does not exist.
    """
    if user:
        account = find_account(user, group)
        return account if account.uid else None
    for name, its_group in _GUEST_ACCOUNTS:
        try:
            return find_account(name, group or its_group)
        except ConfigUnsupported:
            continue
    raise ConfigUnsupported("no unprivileged user to run guests as", hint="set 'user' and 'group' in qemu.conf")


def _gid(group: str) -> int:
    if group.lstrip("+").isdigit():
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise ConfigUnsupported(
            f"group '{group}' does not exist", hint="set 'group' in qemu.conf to one that does"
        ) from None


def _may(status: os.stat_result, account: Account, want: int) -> bool:
    """Whether permission bits grant `want` (4 read, 2 write, 1 search)."""
    if account.uid == 0:
        return True
    if status.st_uid == account.uid:
        granted = status.st_mode >> 6
    elif status.st_gid == account.gid or status.st_gid in account.groups:
        granted = status.st_mode >> 3
    else:
        granted = status.st_mode
    return granted & want == want


def _has_acl(path: str) -> bool:
    """An access list may grant more than the bits tell; then the kernel decides, at open."""
    try:
        return bool(os.getxattr(path, _ACL))
    except OSError:
        return False


class FileOwnership:
    """See host.api.Ownership. account: None when guests run as the daemon's own user."""

    def __init__(self, account: Account | None) -> None:
        self.account = account
        own = Account(str(os.geteuid()), os.geteuid(), os.getegid(), tuple(os.getgroups()))
        self._reader = account or own
        self._holds: dict[str, tuple[Owner, int]] = {}

    def check(self, path: str, *, write: bool) -> None:
        account = self._reader
        what = f"Cannot access storage file '{path}' (as uid:{account.uid}, gid:{account.gid})"
        parts = Path(path).parts
        for depth in range(1, len(parts)):
            directory = str(Path(*parts[:depth]))
            status = self._stat(directory, what)
            if not _may(status, account, 1) and not _has_acl(directory):
                raise self._blocked(what, f"directory '{directory}' may not be searched by user '{account.user}'",
                                    f"chmod o+x '{directory}', or move the file elsewhere")  # fmt: skip
        status = self._stat(path, what)
        changes_hands = self.account is not None and os.geteuid() == 0
        if changes_hands or _has_acl(path):
            return
        need, words = (6, "read and write") if write else (4, "read")
        if not _may(status, account, need):
            raise self._blocked(
                what, f"user '{account.user}' may not {words} '{path}'", f"chown {account.user} '{path}'"
            )

    def _stat(self, path: str, what: str) -> os.stat_result:
        try:
            return os.stat(path)
        except FileNotFoundError as error:
            raise system_error(what, error, hint=f"'{path}' does not exist") from error
        except OSError as error:
            raise system_error(what, error, hint=f"at '{path}'") from error

    def _blocked(self, what: str, cause: str, cure: str) -> SystemCallError:
        return system_error(what, PermissionError(errno.EACCES, ""), hint=f"{cause}: {cure}")

    def owner(self, path: str) -> Owner | None:
        if self.account is None or os.geteuid() != 0:
            return None
        path = os.path.realpath(path)
        held = self._holds.get(path)
        if held is not None:
            return held[0]
        try:
            status = os.stat(path)
        except OSError:
            return None
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISBLK(status.st_mode) or stat.S_ISSOCK(status.st_mode)):
            return None
        return Owner(path, status.st_uid, status.st_gid)

    def take(self, owner: Owner) -> None:
        account = self.account
        if account is None:
            return
        self.adopt(owner)
        try:
            os.chown(owner.path, account.uid, account.gid)
        except OSError as error:
            if error.errno in _NO_CHOWN:
                log.info("ownership of %s cannot be changed (%s); left as it is", owner.path, error.strerror)
                return
            self.restore(owner)
            raise system_error(
                f"unable to set user and group to '{account.uid}:{account.gid}' on '{owner.path}'", error
            ) from error

    def adopt(self, owner: Owner) -> None:
        first, count = self._holds.get(owner.path, (owner, 0))
        self._holds[owner.path] = (first, count + 1)

    def forget(self, owner: Owner) -> None:
        self._let_go(owner)

    def _let_go(self, owner: Owner) -> Owner | None:
        """End one hold; whom to give the path back to when it was the last."""
        first, count = self._holds.get(owner.path, (owner, 1))
        if count > 1:
            self._holds[owner.path] = (first, count - 1)
            return None
        self._holds.pop(owner.path, None)
        return first

    def restore(self, owner: Owner) -> None:
        first = self._let_go(owner)
        if first is None:
            return
        with contextlib.suppress(OSError):
            os.chown(first.path, first.uid, first.gid)

    def directory(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir(mode=0o750, exist_ok=True)
            if self.account is not None and os.geteuid() == 0:
                os.chown(path, self.account.uid, self.account.gid)
        except OSError as error:
            raise system_error(f"cannot create directory '{path}'", error) from error
