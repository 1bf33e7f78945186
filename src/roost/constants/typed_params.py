"""Public numbers and names of the libvirt API: typed parameter types and flags."""

INT = 1
UINT = 2
LLONG = 3
ULLONG = 4
DOUBLE = 5
BOOLEAN = 6
STRING = 7
STRING_OKAY = 4
