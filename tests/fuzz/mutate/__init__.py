"""Mutators: each takes an input and a random generator and returns a damaged input.

One file per grammar: those that know it reach further than those that flip bytes, and
each of them ends in flipped bytes now and then.
"""
