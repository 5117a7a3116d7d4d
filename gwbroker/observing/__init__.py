"""Observing: sites, telescopes, what they can see tonight, and in which order to look."""
