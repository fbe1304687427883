"""Several nodes as one: what they tell each other, and where they meet."""
