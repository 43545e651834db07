"""Files that the pack writes: where they may go, and how they appear whole."""
