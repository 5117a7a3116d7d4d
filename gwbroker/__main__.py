"""``python -m gwbroker``."""

from .cli import main

main()
