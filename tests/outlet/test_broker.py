from __future__ import annotations

import pytest

from vitrina.errors import InputError
from vitrina.outlet.broker import BrokerSettings


@pytest.mark.parametrize("prefix", ["homeassistant", "home", "home/assistant", "home/assistant/sensor"])
def test_a_prefix_under_which_others_announce_themselves_is_refused(prefix: str) -> None:
    """What is below our prefix and not ours is cleared at the broker."""
    discovery_prefix = "homeassistant" if prefix == "homeassistant" else "home/assistant"

    with pytest.raises(InputError, match=f"apart from {discovery_prefix}, got {prefix}: "):
        BrokerSettings("mqtt.example.org", prefix=prefix, discovery_prefix=discovery_prefix).checked()


@pytest.mark.parametrize("prefix", ["homeassistant2", "home/vitrina", "vitrina"])
def test_a_prefix_beside_it_is_taken(prefix: str) -> None:
    settings = BrokerSettings("mqtt.example.org", prefix=prefix)

    assert settings.checked() == settings
    assert BrokerSettings("mqtt.example.org", prefix=prefix, discovery_prefix="").checked().prefix == prefix


@pytest.mark.parametrize("host", ["mqtt..example.org", ".org", f"{'m' * 64}.example.org", "", "mqtt example"])
def test_a_host_that_nobody_can_look_up_is_refused(host: str) -> None:
    with pytest.raises(InputError, match="host: expected a name or address"):
        BrokerSettings(host).checked()


@pytest.mark.parametrize("host", ["mqtt.example.org.", "10.0.0.20", "fd00::20", "broker_1"])
def test_a_host_is_a_name_or_an_address(host: str) -> None:
    assert BrokerSettings(host).checked().host == host
