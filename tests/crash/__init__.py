"""Nodes that are killed, and disks that fail, under load."""
