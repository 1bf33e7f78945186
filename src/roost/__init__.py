"""Roost: libvirt's management layer in Python. See docs/architecture.md for the map of its rooms."""

__version__ = "0.1.0"
