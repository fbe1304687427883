"""Floods from outside, with honest clients connected meanwhile, who must miss nothing.

What single hostile requests are answered with is in ``tests/protocol``. Here there are many of them, against a node
with the default limits. Everybody is on this machine, so attackers come from other addresses of loopback
(127.1.0.1 and on) than the honest clients: limits per address are met as they are by default.
"""
