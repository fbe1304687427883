"""Tests of the connections to Redis, against real servers."""
