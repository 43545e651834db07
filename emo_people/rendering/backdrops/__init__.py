"""What stands behind a person, kind by kind."""
