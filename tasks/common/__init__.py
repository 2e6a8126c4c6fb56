"""What every experiment needs and no experiment owns: command lines, results, checkpoints, tables, settings."""
