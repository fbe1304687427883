"""The domain with all its real parts, driven through random histories and compared with what must hold."""
