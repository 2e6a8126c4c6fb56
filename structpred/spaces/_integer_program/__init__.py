"""What ``IntegerProgram`` is made of: programs, how they are read, and the solvers."""
