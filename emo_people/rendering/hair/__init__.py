"""Hair, as ribbons that grow from the skin."""
