"""What operators look at: health, logs and metrics; and what a process needs of its machine."""
