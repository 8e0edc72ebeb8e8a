"""The layers of setup.cfg and the imports of the code as one picture: docs/architecture.svg.

    .venv/bin/python scripts/architecture_picture.py

A box is a room; a row is a layer; a line says that something of the upper room imports
something of the lower one. The suite holds that the file is what this would write.
"""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path
from typing import Final

import grimp

ROOT: Final = Path(__file__).parent.parent
PICTURE: Final = ROOT / "docs" / "architecture.svg"

WIDTH, ROW, BOX_WIDTH, BOX_HEIGHT = 900, 92, 148, 46
STYLE: Final = (
    "text{font:13px sans-serif;text-anchor:middle;fill:#1b2733}"
    "rect{fill:#eef3f8;stroke:#7d94ab}path{stroke:#7d94ab;fill:none;opacity:.55}"
)


def layers() -> list[list[str]]:
    """Return the rooms of each layer, the highest first, from import-linter's contract."""
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = parser["importlinter:contract:layers"]["layers"].split("\n")
    return [[name.strip() for name in line.split("|")] for line in lines if line.strip()]


def imports(rooms: list[str]) -> set[tuple[str, str]]:
    """Return the pairs of rooms where the first imports from the second."""
    graph = grimp.build_graph("injector", cache_dir=None)
    pairs = {
        (_room_of(module, rooms), _room_of(name, rooms))
        for module in graph.modules
        for name in graph.find_modules_directly_imported_by(module)
    }
    return {(importer, room) for importer, room in pairs if importer and room and importer != room}


def _room_of(module: str, rooms: list[str]) -> str:
    return next((room for room in rooms if module == room or module.startswith(f"{room}.")), "")


def picture() -> str:
    """Return the SVG."""
    rows = layers()
    rooms = [room for row in rows for room in row]
    places = {
        room: (WIDTH * (index + 1) / (len(row) + 1), 40 + ROW * level)
        for level, row in enumerate(rows)
        for index, room in enumerate(row)
    }
    # Every room uses those in the last row: their lines would hide the others.
    drawn = sorted(pair for pair in imports(rooms) if pair[1] not in rows[-1])
    height = ROW * len(rows) - 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>The rooms of the injector: imports point down</title>",
        f"<style>{STYLE}</style>",
        *(_line(places[above], places[below]) for above, below in drawn),
        *(_box(room, places[room]) for room in rooms),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _line(start: tuple[float, float], end: tuple[float, float]) -> str:
    (x1, y1), (x2, y2) = start, end
    top, bottom = y1 + BOX_HEIGHT / 2, y2 - BOX_HEIGHT / 2
    middle = (top + bottom) / 2
    return (
        f'<path d="M{x1:.0f} {top:.0f}C{x1:.0f} {middle:.0f} {x2:.0f} {middle:.0f} {x2:.0f} {bottom:.0f}"/>'
    )


def _box(room: str, place: tuple[float, float]) -> str:
    x, y = place
    left, top = x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2
    return (
        f'<rect x="{left:.0f}" y="{top:.0f}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6"/>'
        f'<text x="{x:.0f}" y="{y + 5:.0f}">{room.removeprefix("injector.")}</text>'
    )


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
    print(PICTURE.relative_to(ROOT))
