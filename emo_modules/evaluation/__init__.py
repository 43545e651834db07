"""How well the demo model does: a network that reads avatars and the measures taken with it."""
