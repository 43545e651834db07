"""What `benchmarks.gpu` measures, a row at a time, in a process of its own."""
