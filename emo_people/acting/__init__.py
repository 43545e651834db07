"""What a face and a head do while their owner speaks."""
