"""What floor keeps in the lake: its tables, with a comment for every column."""

from __future__ import annotations

import pyarrow as pa

from vitrina.storage.table import TableSpec, column

_TIME = pa.timestamp("us", "UTC")

_CAMERA = column("camera_id", pa.string(), "Slug of the camera that saw it.")
_PERSON = column("person_id", pa.string(), "Random id of one person on one business day; it means nothing on the next.")
_ROLE = column("role", pa.string(), "'customer', 'staff', or 'unknown' as long as nothing tells them apart.")


def _table(name: str, comment: str, keep_days: str | None, time_comment: str, *columns: pa.Field) -> TableSpec:
    schema = pa.schema(
        [
            column("event_id", pa.string(), "UUIDv7 of this row, made once where the row was made."),
            column("t", _TIME, time_comment),
            column("business_day", pa.date32(), "The shop's day by its own clock; fixed when written."),
            column("shop_id", pa.string(), "Slug of the shop."),
            column("layout_id", pa.string(), "Version of the layout (zones, lines, calibration) that made this row."),
            column("simulated", pa.bool_(), "True when the simulator made this row, not a camera."),
            *columns,
        ]
    )
    return TableSpec(name, schema, comment, keep_days=keep_days)


POSITIONS = _table(
    "positions",
    "Where each person stood on the shop's plan, at most twice a second.",
    "positions_days",
    "When the person stood there (UTC).",
    _CAMERA,
    _PERSON,
    column("x_cm", pa.int32(), "Centimetres to the right of the plan's upper left corner."),
    column("y_cm", pa.int32(), "Centimetres down from the plan's upper left corner."),
)

CROSSINGS = _table(
    "crossings",
    "Each time a person crossed a line.",
    "visits_days",
    "When the line was crossed (UTC).",
    _CAMERA,
    _PERSON,
    column("line_id", pa.string(), "Slug of the line."),
    column("direction", pa.string(), "'in' or 'out'; 'in' is from the line's left to its right in the picture."),
    _ROLE,
)

VISITS = _table(
    "visits",
    "Each stay of a person in a zone.",
    "visits_days",
    "When the person entered the zone (UTC).",
    _CAMERA,
    _PERSON,
    column("zone_id", pa.string(), "Slug of the zone."),
    column("left_t", _TIME, "When the person left the zone, or was last seen in it (UTC)."),
    column("dwell_s", pa.float64(), "Seconds from entering to leaving."),
    column("ended", pa.string(), "'left', 'lost' (not seen any more) or 'finished' (the recording ended)."),
    _ROLE,
)

WAITS = _table(
    "waits",
    "Each time a person waited in a queue zone.",
    "visits_days",
    "When the person joined the queue (UTC).",
    _CAMERA,
    _PERSON,
    column("zone_id", pa.string(), "Slug of the queue zone."),
    column("ended_t", _TIME, "When the person was served or gave up (UTC)."),
    column("wait_s", pa.float64(), "Seconds from joining to the end."),
    column("outcome", pa.string(), "'served', 'abandoned', or 'unknown' when the person vanished in mid-queue."),
)

PRESENCE = _table(
    "presence",
    "How many people one camera saw, by minute.",
    "visits_days",
    "Start of the minute (UTC).",
    _CAMERA,
    column("people_mean", pa.float64(), "Mean number of people over the watched part of the minute."),
    column("people_max", pa.int32(), "Largest number of people seen at once."),
    column("watched_s", pa.float64(), "Seconds of this minute that were really analysed, 0 to 60."),
)

GAPS = _table(
    "gaps",
    "When a camera was not watched: no picture is not an empty shop.",
    "visits_days",
    "When the gap began (UTC).",
    _CAMERA,
    column("until_t", _TIME, "When pictures came again (UTC)."),
    column("gap_s", pa.float64(), "Seconds without pictures."),
    column("reason", pa.string(), "Why: what the camera or the worker reported."),
)

HEALTH = _table(
    "health",
    "How each live camera did, by five minutes; two rows where its worker was started anew within them.",
    "visits_days",
    "Start of the five minutes (UTC).",
    _CAMERA,
    column("watched_s", pa.float64(), "Seconds of them in which a worker looked after the camera, 0 to 300."),
    column("running_s", pa.float64(), "Seconds of those in which pictures came."),
    column("state", pa.string(), "How it stood at their end: 'starting', 'running', 'lost' or 'ended'."),
    column("fps_claimed", pa.float64(), "Frames a second that the stream says it has; 0 where it says none."),
    column("fps_wanted", pa.float64(), "Frames a second that are to be looked at; 0 means all."),
    column("fps_got", pa.float64(), "Frames a second that came while pictures came."),
    column("frames", pa.int64(), "Frames that came."),
    column("dropped", pa.int64(), "Frames left out because they came late or out of order, or nobody took them."),
    column("damaged", pa.int64(), "Packets or pictures that could not be decoded."),
    column("reconnects", pa.int32(), "How often the stream was opened again."),
    column("clock_jumps", pa.int32(), "How often the camera's or this machine's clock was found set."),
    column("lag_s", pa.float64(), "The longest that a picture came after it was taken, in seconds."),
    column("problems", pa.string(), "Of dark, covered, blurred, moved, frozen, with commas; empty for a good picture."),
    column("last_error", pa.string(), "What went wrong last, without passwords; empty when nothing did."),
)

HEAT = _table(
    "heat",
    "Seconds that people spent on each cell of the floor, by hour.",
    "visits_days",
    "Start of the hour (UTC).",
    _CAMERA,
    column("ix", pa.int32(), "Cell's column, counted from the plan's left edge."),
    column("iy", pa.int32(), "Cell's row, counted from the plan's upper edge."),
    column("cell_cm", pa.int32(), "Side of a cell in centimetres."),
    column("seconds", pa.float64(), "Seconds of people's presence, added up over everybody."),
)

RECEIPTS = _table(
    "receipts",
    "Sales. The key is (shop_id, source, receipt_id); the highest revision counts.",
    None,
    "When the sale was made (UTC).",
    column("source", pa.string(), "Which till or system the receipt comes from."),
    column("receipt_id", pa.string(), "The receipt's number in its source."),
    column("revision", pa.int32(), "1, and one more for each correction."),
    column("total_minor", pa.int64(), "Amount paid, in minor units (cents) of the currency."),
    column("currency", pa.string(), "ISO 4217 code."),
    column("items", pa.int32(), "Number of items sold."),
)

FLOOR_TABLES: dict[str, TableSpec] = {
    table.name: table for table in (POSITIONS, CROSSINGS, VISITS, WAITS, PRESENCE, GAPS, HEALTH, HEAT, RECEIPTS)
}
