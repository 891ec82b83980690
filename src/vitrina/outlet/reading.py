"""A value of now that others may follow: where it stands, what it is, and which device it belongs to. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["sensor", "binary_sensor"]

ON, OFF = "ON", "OFF"
ONLINE, OFFLINE = "online", "offline"
UNKNOWN = "None"
"""Home Assistant's word for a number that is not known now; it takes no notice of an empty message."""


@dataclass(frozen=True, slots=True)
class Device:
    """A shop or a camera. device_id: unique within one installation. via: the device that it belongs to."""

    device_id: str
    name: str
    model: str
    via: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """topic: parts below the prefix, such as ("riga-1", "zone", "shelf", "people").

    value: as it is published; None: not known now. unit, state_class, device_class, icon: words of Home Assistant.
    available: topic parts that must say ON for the value to hold; () where only the product itself must be there.
    """

    topic: tuple[str, ...]
    value: str | None
    name: str
    device: Device
    kind: Kind = "sensor"
    unit: str | None = None
    state_class: str | None = None
    device_class: str | None = None
    icon: str | None = None
    diagnostic: bool = False
    available: tuple[str, ...] = ()
