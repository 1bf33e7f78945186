"""Public numbers and names of the libvirt API: streams."""

NONBLOCK = 1
EVENT_READABLE = 1
EVENT_WRITABLE = 2
EVENT_ERROR = 4
EVENT_HANGUP = 8
RECV_STOP_AT_HOLE = 1
