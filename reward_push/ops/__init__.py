"""What operators look at: health and logs."""
