"""What is put on a head: glasses, earrings, hats and scarves."""
