"""Images classified by their nearest neighbours, through an exact top-k (Cohen Indelman & Hazan 2021, 5.2 and C.2)."""
