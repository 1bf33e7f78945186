"""Drivers: one room per kind of thing managed, never importing each other.

Each implements interfaces of `contract` over `engine`, and is given what it
needs of other drivers and of the host as objects. May import engine, contract,
model, host.api, constants and errors.
"""
