"""The servers that `up`, `demo` and the tests start for themselves."""
