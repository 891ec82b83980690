"""`python -m benchmarks NAME`: our figures beside those of a peer; ends with 1 below a bar."""
