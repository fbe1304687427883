"""Connections to Redis: how they are made, secured and kept. What they are used for is not known here."""
