"""Coincidence: time windows, joint false-alarm rates, and what may be published; pure functions."""
