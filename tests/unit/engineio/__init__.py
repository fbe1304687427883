"""Tests of :mod:`reward_push.engineio`, file for file."""
