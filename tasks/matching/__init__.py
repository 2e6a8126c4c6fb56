"""Lightest perfect matchings of grids of MNIST digits, from images (Vlastelica et al. 2020, Sections 4.3 and A.3.2)."""
