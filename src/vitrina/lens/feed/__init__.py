"""Feeds into offers: bytes in, `Offer` and `Reject` out, one after the other, memory flat however large the feed is.

Begin with `reading.read_feed`; `detect` says what a feed is, `cut` finds its records, `yml`, `google` and `table` read
them. Pure: whoever calls opens the file. lxml sees one record at a time and no document type, so a feed cannot harm it.
"""
