"""What drivers promise: small interfaces, events and references.

Each interface groups the calls of one concern. A driver subclasses the ones it
serves and overrides what it can do; every method it leaves alone answers
NO_SUPPORT by itself (`optional`). The front desk (`rpc`) calls these and never
sees a driver; drivers and the engine implement them and never see a session.

Reads are plain methods and answer at once from memory. What changes something
or must wait is a coroutine. May import model and errors.
"""
