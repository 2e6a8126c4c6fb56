"""What ``LinearSpace`` is made of: programmes, how they are read, and the solvers."""
