"""Literal bytes of the protocols, shared by the tests of encoders and decoders."""
