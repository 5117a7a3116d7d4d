"""Handlers: one file per kind of source; what each notice says becomes part of an event."""
