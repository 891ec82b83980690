"""What the broker retains: every reading once, what nobody says any more cleared, all of it again after a restart."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from vitrina.outlet.discovery import config, config_topic, state_topic
from vitrina.outlet.mqtt import Followed
from vitrina.outlet.reading import Device, Reading

SHOP = Device("riga", "Riga", "Shop")
DOOR = Device("riga_door", "Above the door", "Camera", via="riga")
PEOPLE = Reading(("riga", "door", "people"), "3", "People seen", DOOR, unit="people", available=("riga", "door", "on"))
FOOTFALL = Reading(("riga", "footfall"), "41", "Footfall today", SHOP, unit="people", state_class="total_increasing")


@dataclass
class Broker:
    """A wire, and what is retained at its other end."""

    connection: int = 1
    retained: dict[str, str] = field(default_factory=dict)
    messages: int = 0
    up: bool = True

    def found(self) -> set[str]:
        return set(self.retained)

    def publish(self, topic: str, payload: str, *, retain: bool) -> bool:
        if self.up:
            self.messages += 1
            self.retained[topic] = payload
            if not payload:
                del self.retained[topic]
        return self.up

    def restart(self, *, keeps: bool) -> None:
        self.connection += 1
        self.up = True
        self.retained = dict(self.retained) if keeps else {}


def followed(discovery: str = "") -> Followed:
    return Followed(prefix="vitrina", discovery_prefix=discovery)


def test_a_value_is_sent_when_it_changes_and_not_otherwise() -> None:
    broker, told = Broker(), followed()

    assert told.show(broker, [FOOTFALL]) == 2
    assert told.show(broker, [FOOTFALL]) == 0
    assert told.show(broker, [replace(FOOTFALL, value="42")]) == 1
    assert broker.retained == {"vitrina/available": "online", "vitrina/riga/footfall": "42"}


def test_what_is_not_known_any_more_is_said_to_be_unknown_and_what_is_gone_is_cleared() -> None:
    """As Home Assistant wants it: an empty message would leave yesterday's number standing there."""
    broker, told = Broker(retained={"vitrina/riga/old/people": "7"}), followed("homeassistant")
    told.show(broker, [FOOTFALL, PEOPLE])

    told.show(broker, [replace(FOOTFALL, value=None)])

    config = broker.retained.pop("homeassistant/sensor/vitrina/riga__footfall/config")
    assert json.loads(config)["state_topic"] == "vitrina/riga/footfall"
    assert broker.retained == {"vitrina/available": "online", "vitrina/riga/footfall": "None"}


STEPS = st.tuples(
    st.sampled_from(["show", "down", "kept", "lost"]), st.dictionaries(st.sampled_from("abc"), st.integers(0, 3))
)


@given(st.lists(STEPS, max_size=12))
def test_whatever_happens_to_the_broker_it_ends_with_the_readings_of_now(
    history: list[tuple[str, dict[str, int]]],
) -> None:
    broker, told = Broker(), followed("homeassistant")
    readings: list[Reading] = []
    for what, values in history:
        readings = [Reading(("riga", zone), str(count), zone, SHOP) for zone, count in values.items()]
        if what == "down":
            broker.up = False
        elif what != "show":
            broker.restart(keeps=what == "kept")
        told.show(broker, readings)
    broker.restart(keeps=True)
    told.show(broker, readings)

    states = {topic: value for topic, value in broker.retained.items() if not topic.endswith("/config")}
    assert states == {"vitrina/available": "online"} | {state_topic("vitrina", r): r.value for r in readings}
    assert len(broker.retained) == 1 + 2 * len(readings)
    assert told.show(broker, readings) == 0


def test_home_assistant_gets_what_it_needs_to_make_an_entity() -> None:
    said = json.loads(config("chain/east", PEOPLE))

    assert config_topic("homeassistant", "chain/east", PEOPLE) == (
        "homeassistant/sensor/chain_east/riga__door__people/config"
    )
    assert said["unique_id"] == "chain_east_riga__door__people"
    assert said["state_topic"] == "chain/east/riga/door/people"
    assert said["unit_of_measurement"] == "people"
    assert said["device"]["identifiers"] == ["chain_east_riga_door"]
    assert said["device"]["via_device"] == "chain_east_riga"
    assert [entry["topic"] for entry in said["availability"]] == ["chain/east/available", "chain/east/riga/door/on"]
    assert said["origin"]["name"] == "Vitrina"
