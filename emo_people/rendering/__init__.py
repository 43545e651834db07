"""Pictures of people: geometry, light and everything around a head, and what a camera makes of it."""
