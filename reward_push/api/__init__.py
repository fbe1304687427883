"""The HTTP API a backend talks to."""
