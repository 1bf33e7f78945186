"""Snapshots of guests: in their images (internal), or as images that the guest goes on in (external).

`store` keeps their documents on disk, `service` is the contract over the parts
that take them, go back to them and delete them.
May enter: whatever takes or undoes a moment of a guest. Block jobs and save
images come from the packages beside this one.
"""
