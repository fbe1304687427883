"""The operator's command, ``reward-push``: checks a configuration, and talks to a node's HTTP API."""
