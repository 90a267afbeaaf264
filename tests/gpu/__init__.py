"""What runs the tests and benchmarks of a GPU on a machine without a network."""
