"""Several nodes under load while nodes, Redis and the links between them fail."""
