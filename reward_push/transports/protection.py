"""Headers that protect browsers from what they are sent, and from other pages."""

PROTECTION = {
    b"X-Content-Type-Options": b"nosniff",
    b"Referrer-Policy": b"no-referrer",
    b"Content-Security-Policy": b"default-src 'none'; frame-ancestors 'none'",
}
"""What every answer tells browsers: take it for what it says it is, tell nobody where it came from, run
nothing in it and show it in no frame. A page says what it needs instead."""
