"""What every experiment needs and no experiment owns: results files, whole files, exit codes, noise settings."""
