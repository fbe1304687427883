"""Tests of connections to Redis that need no Redis."""
