"""Listeners: one file per kind of connection, each an eternal task."""
