"""How fast and how large gwbroker is, each time against a peer measured in the same run."""
