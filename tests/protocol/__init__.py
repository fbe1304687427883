"""A whole node and an echo server over real TCP, byte by byte."""
