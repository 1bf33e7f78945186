"""What a call makes of a domain's document, for every driver alike: parameters read, checked and put in their place.

Dry: documents in, documents out. What a hypervisor alone refuses, or must be told, is its driver's. May enter:
contract, model. Errors of the calls themselves carry no domain: they are those of the driver that was called.
"""
