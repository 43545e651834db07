"""Files and folders that the pack writes: where they may go, how they appear whole, and who is using them."""
