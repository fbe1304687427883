"""The network side: one Twisted port for HTTP, long polling and WebSocket."""
