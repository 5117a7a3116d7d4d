"""An example of a package of handlers for gwbroker."""
