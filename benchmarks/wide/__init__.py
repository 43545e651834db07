"""Models of full width with random weights, and a clip to train them on."""
