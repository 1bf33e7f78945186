"""Public numbers and names of the libvirt API: key code sets."""

SET_LINUX = 0
SET_XT = 1
SET_ATSET1 = 2
SET_ATSET2 = 3
SET_ATSET3 = 4
SET_OSX = 5
SET_USB = 7
SET_WIN32 = 8
SET_QNUM = 9
SET_XT_KBD = 6
