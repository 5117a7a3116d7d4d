"""Tasks: load, call a pure function, store, pass ids on."""
