"""What only the weights of EMO's open relatives have."""
