"""Who a socket is: its key and its rooms, what it gets on entry, and when it has to leave."""
