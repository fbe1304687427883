"""Tests of the store that nodes share."""
