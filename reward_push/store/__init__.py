"""Where messages and keys are kept."""
