"""The connection to an MQTT broker, and what is retained there: exactly the readings of now, whatever happened between.

    wire = BrokerWire(broker, password, client_id="vitrina-1")
    followed = Followed(prefix="vitrina", discovery_prefix="homeassistant")
    followed.show(wire, readings)        # again and again: only what changed is sent

Paho's thread reconnects by itself. After each connection everything is sent again, and what the broker retains from
before but nobody says any more (a camera that was removed) is cleared.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from vitrina.outlet.broker import Broker, trusting
from vitrina.outlet.discovery import available_topic, node, retained
from vitrina.outlet.reading import OFFLINE, ONLINE, Reading
from vitrina.product import new_id

logger = logging.getLogger(__name__)

QOS = 1
KEEP_ALIVE_S = 30
CONNECT_S = 10.0
FIRST_WAIT_S, LONGEST_WAIT_S = 1, 30
MOST_WAITING = 2000
LISTEN_S = 2.0
"""After a connection the broker sends what it retains; so long is waited for the last of it."""


class Wire(Protocol):
    """connection: grows with each connection, 0 before the first. found: retained topics that the broker showed."""

    connection: int

    def found(self) -> set[str]: ...
    def publish(self, topic: str, payload: str, *, retain: bool) -> bool: ...


class Followed:
    """What the broker was told last, so that only changes are sent."""

    def __init__(self, *, prefix: str, discovery_prefix: str) -> None:
        self._prefix, self._discovery_prefix = prefix, discovery_prefix
        self._connection = 0
        self._sent: dict[str, str] = {}

    def show(self, wire: Wire, readings: Iterable[Reading]) -> int:
        """Make the broker retain these readings and no others of ours; gives how many messages that took."""
        if wire.connection == 0:
            return 0
        if wire.connection != self._connection:
            self._connection, self._sent = wire.connection, dict.fromkeys(wire.found(), "\0")
        wanted = retained(readings, prefix=self._prefix, discovery_prefix=self._discovery_prefix)
        wanted[available_topic(self._prefix)] = ONLINE
        gone = [topic for topic in self._sent if topic not in wanted]
        changed = [(topic, "") for topic in gone]
        changed += [(topic, payload) for topic, payload in wanted.items() if self._sent.get(topic) != payload]
        for topic, payload in changed:
            if not wire.publish(topic, payload, retain=True):
                return 0  # the next connection sends everything again
            if payload:
                self._sent[topic] = payload
            else:
                self._sent.pop(topic, None)
        return len(changed)


class BrokerWire:
    """A `Wire` over a real connection, begun in a thread that goes on trying.

    client_id: the same after a restart, so that the broker ends the old connection, and its last will, first.
    on_status: told from paho's thread how the connection is. Raises InputError for a CA that is none.
    """

    def __init__(
        self,
        broker: Broker,
        password: str | None,
        *,
        client_id: str,
        on_status: Callable[[bool, str], None] = lambda *_: None,
    ) -> None:
        self.connection = 0
        self.connected = threading.Event()
        self.status = "connecting"
        self._prefix, self._discovery_prefix = broker.prefix, broker.discovery_prefix
        self._on_status = on_status
        self._found: set[str] = set()
        self._lock = threading.Lock()
        self._listen_until = 0.0
        self._client = client = _client(broker, password, client_id)
        client.max_queued_messages_set(MOST_WAITING)
        client.reconnect_delay_set(FIRST_WAIT_S, LONGEST_WAIT_S)
        client.will_set(available_topic(self._prefix), OFFLINE, qos=QOS, retain=True)
        client.on_connect = self._connected
        client.on_connect_fail = self._refused
        client.on_disconnect = self._disconnected
        client.on_message = self._heard
        client.connect_async(broker.host, broker.port, KEEP_ALIVE_S)
        client.loop_start()

    def found(self) -> set[str]:
        """Waits until the broker has shown what it retains of ours, then listens no more."""
        time.sleep(max(0.0, self._listen_until - time.monotonic()))
        for pattern in self._patterns():
            self._client.unsubscribe(pattern)
        with self._lock:
            return set(self._found)

    def publish(self, topic: str, payload: str, *, retain: bool) -> bool:
        if not self.connected.is_set():
            return False  # paho would keep it, and tell as news what was so while the broker was away
        return self._client.publish(topic, payload, qos=QOS, retain=retain).rc == paho.MQTT_ERR_SUCCESS

    def flush(self, *, timeout_s: float) -> bool:
        """Whether the broker has taken everything that was published until now."""
        info = self._client.publish(available_topic(self._prefix), ONLINE, qos=QOS, retain=True)
        try:
            info.wait_for_publish(timeout_s)
        except (RuntimeError, ValueError):  # paho: not connected, or too much is waiting
            return False
        return info.is_published()

    def close(self) -> None:
        """Say `offline` ourselves: a last will is only sent for those who vanish."""
        if self.connected.is_set():
            info = self._client.publish(available_topic(self._prefix), OFFLINE, qos=QOS, retain=True)
            try:
                info.wait_for_publish(2.0)
            except (RuntimeError, ValueError):
                logger.debug("the broker did not take our good-bye")
        self._client.disconnect()
        self._client.loop_stop()

    def _patterns(self) -> list[str]:
        found = [f"{self._prefix}/#"]
        if self._discovery_prefix:
            found.append(f"{self._discovery_prefix}/+/{node(self._prefix)}/+/config")
        return found

    def _connected(self, client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._say(connected=False, status=f"refused: {reason}")
            return
        with self._lock:
            self._found = set()
        self._listen_until = time.monotonic() + LISTEN_S
        client.subscribe([(pattern, QOS) for pattern in self._patterns()])
        self.connected.set()
        self.connection += 1
        self._say(connected=True, status="connected")

    def _refused(self, *_: Any) -> None:
        self._say(connected=False, status="cannot be reached; trying again")

    def _disconnected(self, _client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self.connected.clear()
        if not self.status.startswith("refused"):
            self._say(connected=False, status=f"connection lost ({reason}); trying again")

    def _heard(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        if message.retain and message.payload:
            with self._lock:
                self._found.add(message.topic)

    def _say(self, *, connected: bool, status: str) -> None:
        if status != self.status:
            (logger.info if connected else logger.warning)("MQTT: %s", status)
        self.status = status
        self._on_status(connected, status)


def try_out(broker: Broker, password: str | None, *, timeout_s: float = 10.0) -> str:
    """Connect, have one message acknowledged, leave: `connected`, or in plain words what went wrong."""
    told, done = ["no answer within the time"], threading.Event()
    client = _client(broker, password, f"vitrina-try-{new_id()[-8:]}")

    def connected(client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            told[0] = f"refused: {reason}"
            done.set()
            return
        told[0] = "connected, but the message was not acknowledged: may this user write below the prefix?"
        client.publish(f"{broker.prefix}/test", "test", qos=QOS)

    def acknowledged(_client: paho.Client, _data: Any, _number: int, reason: Any, _properties: Any) -> None:
        told[0] = f"the message was refused: {reason}" if reason.is_failure else "connected"
        done.set()

    client.on_connect, client.on_publish = connected, acknowledged
    try:
        client.connect(broker.host, broker.port, KEEP_ALIVE_S)
    except ssl.SSLError as error:
        return f"TLS: {error.reason or error}"
    except OSError as error:
        return f"cannot be reached: {error.strerror or error}"
    client.loop_start()
    done.wait(timeout_s)
    client.disconnect()
    client.loop_stop()
    return told[0]


def _client(broker: Broker, password: str | None, client_id: str) -> paho.Client:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv311)
    client.connect_timeout = CONNECT_S
    if broker.username:
        client.username_pw_set(broker.username, password)
    if broker.tls:
        client.tls_set_context(trusting(broker.ca))
    return client
