"""Brings a home's index up to date until it is killed: `python syncer.py HOME [CLUSTER]`."""

from __future__ import annotations

import sys
from contextlib import closing

from vitrina.lens.indexing.client import IndexClient
from vitrina.lens.sync import sync
from vitrina.models.library import find_model
from vitrina.settings import load_settings

if __name__ == "__main__":
    cluster = {"VITRINA_CLUSTER": sys.argv[2]} if len(sys.argv) > 2 else {}
    settings = load_settings({"VITRINA_HOME": sys.argv[1], **cluster})
    model = find_model(settings.home, "image-lite0")
    sys.stdout.write("begins\n")
    sys.stdout.flush()
    with closing(IndexClient(settings, model.name)) as index:
        index.start_s = 300.0  # the machine of a test may stall
        sync(settings, model, index)
