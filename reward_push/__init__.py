"""reward-push: codes and notifications pushed to stock Socket.IO clients, exactly when they are due."""
