"""Engine.IO revisions 3 and 4: packets, payloads, sessions and the upgrade. No I/O, no clock, no Twisted."""
