"""A node: all parts put together, on its own or among others, started and stopped in order."""
