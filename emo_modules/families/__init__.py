"""EMO and its open relatives: a module for each family, and one table, which alone knows them by name."""
