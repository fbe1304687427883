"""What the documentation says is there is there, and what it says in numbers is so."""
