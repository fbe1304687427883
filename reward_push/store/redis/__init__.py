"""The store that several nodes share: messages, devices and keys in one Redis."""
