"""The documents <capabilities> and <domainCapabilities> as typed records.

Read by tools and tests, written by drivers. May enter: elements of the two
documents, declared as in every other document. Dry.
"""
