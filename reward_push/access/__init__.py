"""Who may do what: API keys and signed tokens; who may come in at all, and how often."""
