"""Many films by one model: job files, the journal that makes them resumable, and engines that render them."""
