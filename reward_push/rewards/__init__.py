"""The domain: messages and how they reach their audience. No HTTP; only delivery knows Socket.IO."""
