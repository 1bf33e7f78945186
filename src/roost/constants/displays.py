"""Displays: virDomainGraphicsReloadType."""

RELOAD_TYPE_ANY = 0
RELOAD_TYPE_VNC = 1
