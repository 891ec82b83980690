"""MQTT discovery as Home Assistant reads it: one retained message per value, values grouped by device. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from vitrina import __version__
from vitrina.outlet.reading import OFF, OFFLINE, ON, ONLINE, UNKNOWN, Reading

_PLAIN = re.compile(r"[^a-zA-Z0-9_-]")


def available_topic(prefix: str) -> str:
    """Says `online` while we are connected, and `offline` by our last will."""
    return f"{prefix}/available"


def state_topic(prefix: str, reading: Reading) -> str:
    return "/".join((prefix, *map(_level, reading.topic)))


def event_topic(prefix: str, shop: str) -> str:
    """Where summaries go as they are made; nothing is retained there."""
    return f"{prefix}/{_level(shop)}/events"


def node(prefix: str) -> str:
    """Our level in the discovery topics: two installations on one broker have two prefixes."""
    return _PLAIN.sub("_", prefix)


def config_topic(discovery_prefix: str, prefix: str, reading: Reading) -> str:
    return f"{discovery_prefix}/{reading.kind}/{node(prefix)}/{_object_id(reading)}/config"


def config(prefix: str, reading: Reading) -> str:
    """What Home Assistant makes an entity of."""
    ours = node(prefix)
    device: dict[str, Any] = {
        "identifiers": [f"{ours}_{reading.device.device_id}"],
        "name": reading.device.name,
        "manufacturer": "Vitrina",
        "model": reading.device.model,
        "sw_version": __version__,
    }
    if reading.device.via is not None:
        device["via_device"] = f"{ours}_{reading.device.via}"
    holds = [(available_topic(prefix), ONLINE, OFFLINE)]
    if reading.available:
        holds.append(("/".join((prefix, *map(_level, reading.available))), ON, OFF))
    said: dict[str, Any] = {
        "name": reading.name,
        "unique_id": f"{ours}_{_object_id(reading)}",
        "state_topic": state_topic(prefix, reading),
        "availability": [
            {"topic": topic, "payload_available": yes, "payload_not_available": no} for topic, yes, no in holds
        ],
        "availability_mode": "all",
        "qos": 1,
        "device": device,
        "origin": {"name": "Vitrina", "sw_version": __version__},
    }
    optional = {
        "unit_of_measurement": reading.unit,
        "state_class": reading.state_class,
        "device_class": reading.device_class,
        "icon": reading.icon,
        "entity_category": "diagnostic" if reading.diagnostic else None,
    }
    said |= {name: value for name, value in optional.items() if value is not None}
    if reading.kind == "binary_sensor":
        said |= {"payload_on": ON, "payload_off": OFF}
    return json.dumps(said, ensure_ascii=False)


def retained(readings: Iterable[Reading], *, prefix: str, discovery_prefix: str) -> dict[str, str]:
    """Every retained topic with its value; `config` messages too unless `discovery_prefix` is empty."""
    found: dict[str, str] = {}
    for reading in readings:
        if discovery_prefix:
            found[config_topic(discovery_prefix, prefix, reading)] = config(prefix, reading)
        found[state_topic(prefix, reading)] = UNKNOWN if reading.value is None else reading.value
    return found


def _object_id(reading: Reading) -> str:
    return "__".join(_PLAIN.sub("_", part) for part in reading.topic)


def _level(part: str) -> str:
    """A name as one level of a topic, which may not hold `/`, `+` or `#`."""
    return re.sub(r"[/+#\x00-\x1f]", "_", part)
