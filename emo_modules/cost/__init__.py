"""What a rendering takes: time and memory, told before it starts and counted while it runs."""
