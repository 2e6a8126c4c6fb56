"""Copies the picture of each notebook that `make docs` has run into the gallery: `draw_gallery.py build/jupyter_execute`."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

GALLERY = Path(__file__).parent / "gallery"


def picture_of(notebook: Path) -> bytes:
    """The last picture that its cells have drawn, as a PNG."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    outputs = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    return base64.b64decode([data["image/png"] for data in outputs if "image/png" in data][-1])


if __name__ == "__main__":
    (folder,) = map(Path, sys.argv[1:])
    notebooks = sorted(folder.glob("notebooks/*.ipynb"))
    if not notebooks:
        sys.exit(f"{folder}: expected the notebooks that a build has run, but found none; write make docs first")
    for notebook in notebooks:
        (GALLERY / f"{notebook.stem}.png").write_bytes(picture_of(notebook))
