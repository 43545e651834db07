"""People of the world act and are drawn: samples to train on, cases to judge by."""
