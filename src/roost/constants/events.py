"""Public numbers and names of the libvirt API: event-loop handles."""

HANDLE_READABLE = 1
HANDLE_WRITABLE = 2
HANDLE_ERROR = 4
HANDLE_HANGUP = 8
