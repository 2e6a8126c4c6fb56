"""What every experiment needs and no experiment owns.

A task is a package with a ``__main__`` that calls ``cli.main``, and these:

- ``config``: a ``Training``, and a ``Run``, which has all that random numbers follow from, its ``seed`` among them;
- ``commands``: attrs classes, each field an option, each with ``run(console)``; a ``Table`` opens its file with
  ``open_results``, trains what that lacks with ``complete`` and prints it with ``print_table``;
- ``results``: a ``Result``, which is a line of the results file and has its ``run``;
- ``report``: the columns of the table;
- its data, its networks and its step. What takes minutes saves a ``Checkpoint``.
"""
