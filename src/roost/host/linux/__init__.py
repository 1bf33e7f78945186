"""The host as Linux: processes by pidfd, interfaces by ioctl, facts from /proc and /sys.

ctypes is imported lazily: only a helper's start needs it.
"""

from roost.host.linux.host import LinuxHost as LinuxHost
from roost.host.linux.ownership import find_account as find_account
from roost.host.linux.ownership import guest_account as guest_account

__all__ = ["LinuxHost", "find_account", "guest_account"]
