"""Tests of :mod:`reward_push.socketio`, file for file."""
