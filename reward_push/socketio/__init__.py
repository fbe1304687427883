"""Socket.IO revisions 4 and 5 over Engine.IO sessions: namespaces, rooms, events and acks. No I/O."""
