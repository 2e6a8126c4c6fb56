"""What one visit to a machine with a GPU measures, the most valuable first."""
