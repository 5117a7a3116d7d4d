"""Streams: one file per family of messages; names, reading, and its handler decorator."""
