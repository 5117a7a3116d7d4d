"""A deployment of gwbroker on an HTCondor pool: its description, the pool, what was submitted."""
