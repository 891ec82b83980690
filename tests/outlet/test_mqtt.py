"""A real mosquitto: what it retains, also when it is killed in between, and what it says when we are."""

from __future__ import annotations

import contextlib
import getpass
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from tests.conftest import _free_port

from vitrina.cli.telling import Teller
from vitrina.outlet import broker
from vitrina.outlet.broker import Broker, BrokerSettings
from vitrina.outlet.mqtt import BrokerWire, Followed, try_out
from vitrina.outlet.reading import Device, Reading
from vitrina.storage.secrets import SecretBox

pytestmark = pytest.mark.slow

SHOP = Device("riga", "Riga", "Shop")


@dataclass
class Mosquitto:
    """A broker of our own in a folder; nothing is kept over a restart."""

    folder: Path
    port: int
    lines: list[str] = field(default_factory=lambda: ["allow_anonymous true"])
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        config = self.folder / "mosquitto.conf"
        config.write_text(
            "\n".join(
                [f"listener {self.port} 127.0.0.1", "persistence false", f"user {getpass.getuser()}", *self.lines]
            )
            + "\n"
        )
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self.process = subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL)
        assert eventually(self.listens)

    def listens(self) -> bool:
        import socket

        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def row(self, **given: Any) -> Broker:
        fields = {"host": "127.0.0.1", "port": self.port, "tls": False, "ca": None, "username": ""}
        names = {"prefix": "vitrina", "discovery_prefix": "homeassistant"}
        return Broker(broker_id="main", **(fields | names | given))

    def retained(self, *, wait_s: float = 0.4, **login: str) -> dict[str, str]:
        """As a newcomer finds it."""
        found: dict[str, str] = {}
        client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        if login:
            client.username_pw_set(login["username"], login["password"])
        client.on_connect = lambda client, *_: client.subscribe("#", 1)
        client.on_message = lambda _c, _d, message: found.update({message.topic: message.payload.decode()})
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        time.sleep(wait_s)
        client.disconnect()
        client.loop_stop()
        return found


def eventually(condition: Callable[[], bool], *, within_s: float = 60.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    if not (shutil.which("mosquitto") or Path("/usr/sbin/mosquitto").exists()):
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    tmp_path.chmod(0o755)
    broker = Mosquitto(tmp_path, _free_port())
    broker.start()
    yield broker
    broker.kill()


def footfall(count: int) -> Reading:
    return Reading(("riga", "footfall"), str(count), "Footfall today", SHOP, unit="people")


def test_counts_go_on_through_kills_of_the_broker_and_end_as_they_are(mosquitto: Mosquitto) -> None:
    """Three kills while the count grows; after each the broker has the newest count and the discovery again."""
    wire = BrokerWire(mosquitto.row(), None, client_id="vitrina-test")
    told = Followed(prefix="vitrina", discovery_prefix="homeassistant")
    stop, count = threading.Event(), [0]

    def go_on() -> None:
        while not stop.wait(0.02):
            count[0] += 1
            told.show(wire, [footfall(count[0])])

    teller = threading.Thread(target=go_on)
    teller.start()
    try:
        for _ in range(3):
            assert eventually(lambda: "vitrina/riga/footfall" in mosquitto.retained())
            mosquitto.kill()
            time.sleep(0.5)
            mosquitto.start()
        assert eventually(lambda: "vitrina/riga/footfall" in mosquitto.retained())
    finally:
        stop.set()
        teller.join()
    assert eventually(lambda: mosquitto.retained().get("vitrina/riga/footfall") == str(count[0]))
    found = mosquitto.retained()
    assert found["vitrina/available"] == "online"
    assert "homeassistant/sensor/vitrina/riga__footfall/config" in found

    wire.close()

    assert mosquitto.retained()["vitrina/available"] == "offline"


def test_what_was_so_while_the_broker_was_away_is_not_told_afterwards(mosquitto: Mosquitto) -> None:
    wire = BrokerWire(mosquitto.row(discovery_prefix=""), None, client_id="vitrina-test")
    told = Followed(prefix="vitrina", discovery_prefix="")
    assert eventually(lambda: told.show(wire, [footfall(1)]) > 0)
    assert wire.flush(timeout_s=5)
    mosquitto.kill()
    assert eventually(lambda: not wire.connected.is_set())

    assert [told.show(wire, [footfall(count)]) for count in range(2, 7)] == [0] * 5
    heard: list[str] = []
    listener = paho.Client(paho.CallbackAPIVersion.VERSION2)
    listener.on_connect = lambda client, *_: client.subscribe("vitrina/riga/footfall", 1)
    listener.on_message = lambda _c, _d, message: heard.append(message.payload.decode())
    mosquitto.start()
    listener.connect("127.0.0.1", mosquitto.port)
    listener.loop_start()
    assert eventually(lambda: told.show(wire, [footfall(7)]) > 0)
    assert eventually(lambda: "7" in heard)
    wire.close()
    listener.disconnect()
    listener.loop_stop()

    assert heard == ["7"]


def test_a_process_that_is_killed_is_offline_by_its_last_will_and_a_new_one_takes_over(mosquitto: Mosquitto) -> None:
    program = (
        "import sys, time\n"
        "from vitrina.outlet.broker import Broker\n"
        "from vitrina.outlet.mqtt import BrokerWire, Followed\n"
        "row = Broker(host='127.0.0.1', port=int(sys.argv[1]), tls=False, ca=None, username='', prefix='vitrina',"
        " discovery_prefix='')\n"
        "wire = BrokerWire(row, None, client_id='vitrina-same')\n"
        "told = Followed(prefix='vitrina', discovery_prefix='')\n"
        "while True:\n    told.show(wire, [])\n    time.sleep(0.05)\n"
    )
    command = [sys.executable, "-c", program, str(mosquitto.port)]
    first = subprocess.Popen(command)
    try:
        assert eventually(lambda: mosquitto.retained().get("vitrina/available") == "online")
        first.kill()
        assert eventually(lambda: mosquitto.retained().get("vitrina/available") == "offline")
    finally:
        first.kill()
        first.wait()
    frozen = subprocess.Popen(command)
    try:
        assert eventually(lambda: mosquitto.retained().get("vitrina/available") == "online")
        frozen.send_signal(signal.SIGSTOP)
        wire = BrokerWire(mosquitto.row(discovery_prefix=""), None, client_id="vitrina-same")
        told = Followed(prefix="vitrina", discovery_prefix="")
        assert eventually(lambda: told.show(wire, []) > 0)
        time.sleep(1.0)
        assert mosquitto.retained()["vitrina/available"] == "online"
        wire.close()
    finally:
        frozen.kill()
        frozen.wait()


def test_a_camera_that_was_removed_while_we_were_away_is_cleared(mosquitto: Mosquitto) -> None:
    for readings in ([footfall(1), Reading(("riga", "door", "people"), "2", "People", SHOP)], [footfall(2)]):
        wire = BrokerWire(mosquitto.row(), None, client_id="vitrina-test")
        told = Followed(prefix="vitrina", discovery_prefix="homeassistant")
        assert eventually(lambda wire=wire: wire.connection == 1)
        told.show(wire, readings)
        assert wire.flush(timeout_s=5)
        wire.close()

    assert set(mosquitto.retained()) == {
        "vitrina/available", "vitrina/riga/footfall", "homeassistant/sensor/vitrina/riga__footfall/config",
    }  # fmt: skip


def test_a_broker_that_is_left_for_good_is_cleared_of_what_stood_there(chain_home: Any, mosquitto: Mosquitto) -> None:
    database, box = chain_home.database(), SecretBox(chain_home.path)
    given = BrokerSettings("127.0.0.1", port=mosquitto.port)
    teller = Teller(chain_home.settings, database, box, lake=chain_home.lake, health=list)

    def set_to(changed: BrokerSettings) -> None:
        with database.session() as session:
            broker.set_broker(session, changed, box=box, by="test")

    def looked() -> set[str]:
        teller.look()
        return {topic for topic, value in mosquitto.retained().items() if value not in ("online", "offline")}

    set_to(given)
    assert eventually(lambda: "vitrina/demo-berlin/footfall" in looked())
    set_to(replace(given, password="another"))
    assert "homeassistant/sensor/vitrina/demo-berlin__footfall/config" in looked()

    set_to(replace(given, prefix="chain"))
    assert eventually(lambda: "chain/demo-berlin/footfall" in looked())
    assert not [topic for topic in looked() if "vitrina" in topic]

    with database.session() as session:
        broker.remove_broker(session, by="test")
    assert looked() == set()
    teller.close()
    database.dispose()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho leaves the socket it gave up
def test_a_password_over_tls_is_accepted_and_a_wrong_one_is_said_in_plain_words(mosquitto: Mosquitto) -> None:
    mosquitto.kill()
    ca = make_certificate(mosquitto.folder)
    secrets = mosquitto.folder / "passwords"
    passwd = shutil.which("mosquitto_passwd") or "/usr/bin/mosquitto_passwd"
    subprocess.run([passwd, "-c", "-b", str(secrets), "kim", "right"], check=True, capture_output=True)
    secrets.chmod(0o644)
    mosquitto.lines = [
        "allow_anonymous false", f"password_file {secrets}",
        f"certfile {mosquitto.folder / 'cert.pem'}", f"keyfile {mosquitto.folder / 'key.pem'}",
    ]  # fmt: skip
    mosquitto.start()
    login = {"tls": True, "username": "kim", "host": "localhost"}

    assert try_out(mosquitto.row(ca=ca, **login), "right") == "connected"
    assert "ot authori" in try_out(mosquitto.row(ca=ca, **login), "wrong")
    assert try_out(mosquitto.row(**login), "right").startswith("TLS: CERTIFICATE_VERIFY_FAILED")
    mosquitto.kill()
    assert try_out(mosquitto.row(ca=ca, **login), "right").startswith("cannot be reached")


def make_certificate(folder: Path) -> str:
    """A certificate for `localhost` that signs itself, as files in the folder; gives it in PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "cert.pem").write_bytes(pem)
    kind = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(private)
    (folder / "key.pem").chmod(0o644)
    return pem.decode()
