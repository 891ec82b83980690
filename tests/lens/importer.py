"""Imports a feed until it is killed: `python importer.py FOLDER FEED`."""

from __future__ import annotations

import sys
from pathlib import Path

from vitrina.lens.importing import import_feed
from vitrina.lens.reader import Order, Part

if __name__ == "__main__":
    folder, feed = Path(sys.argv[1]), Path(sys.argv[2])
    sys.stdout.write("begins\n")
    sys.stdout.flush()
    import_feed(folder, Order("best", "feed-1", currency="EUR"), [Part(feed.name, lambda: feed.open("rb"))], now=2.0)
