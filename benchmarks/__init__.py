"""One table of ratios: each row measures something of the library in turn with what it stands against."""
