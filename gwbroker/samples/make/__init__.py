"""The script that makes the sample alerts; run it as ``python -m gwbroker.samples.make``."""
