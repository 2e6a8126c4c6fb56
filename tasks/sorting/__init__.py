"""Learning to sort through an exact matching (Cohen Indelman & Hazan 2021, Sections 5.1 and C.1)."""
