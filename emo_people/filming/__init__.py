"""People of the world act and are filmed: clips to train on, cases to judge by."""
