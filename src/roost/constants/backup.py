"""Public numbers and names of the libvirt API: backups."""

BEGIN_REUSE_EXTERNAL = 1
