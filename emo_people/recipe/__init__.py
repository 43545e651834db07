"""The built-in model: its parts, what they learn from, and what is minimised."""
