"""Running the code of EMO's public relatives as its authors wrote it, to compare with."""
