# SPDX-License-Identifier: ISC
"""doorbelld under a service manager: its sockets, its news, its watchdog."""

import os
import re
import signal
import socket
import subprocess
import time

import pytest

import processes
import web
from scripts import GREETING, PASS_NEW, PASS_OLD, TEASER, passes
from waiting import GENEROUS_S, until

pytestmark = pytest.mark.standalone

CONF = os.path.join(os.path.dirname(__file__), "..", "..", "conf")


class Manager:
    """The end of NOTIFY_SOCKET that systemd has."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(path)
        self._socket.settimeout(GENEROUS_S)
        if path[0] == "/":
            os.chmod(path, 0o777)
        self.heard = []

    def hear(self, name):
        """Wait for a message that says `name`; what it says."""
        while True:
            text = self._socket.recv(4096).decode()
            said = dict(line.split("=", 1) for line in text.split("\n"))
            self.heard.append(said)
            if name in said:
                return said

    def forget(self):
        """What has been said so far."""
        self._socket.setblocking(False)
        try:
            while self._socket.recv(4096):
                pass
        except BlockingIOError:
            self._socket.settimeout(GENEROUS_S)

    def close(self):
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    name = str(tmp_path / "notify")
    if request.param == "abstract":
        m = Manager("\0" + name)
        m.name = "@" + name
    else:
        tmp_path.chmod(0o755)
        m = Manager(name)
        m.name = name
    yield m
    m.close()


@pytest.fixture
def bell(ring, manager):
    postfix = ring.start()
    bell = ring.standalone(postfix)
    bell.environment["NOTIFY_SOCKET"] = manager.name
    return bell


@pytest.fixture
def patient(bell):
    """So that a session is there when the news are made."""
    bell.main["doorbell_greet_wait"] = "60s"
    return bell


def test_news_of_start_sessions_and_reload(patient, manager):
    bell = patient
    bell.start()
    assert manager.hear("READY")["READY"] == "1"
    with bell.connect() as client:
        assert client.line() == TEASER
        while manager.hear("STATUS")["STATUS"] != "1 session":
            pass
        client.close()
    while manager.hear("STATUS")["STATUS"] != "0 sessions":
        pass
    before = time.clock_gettime(time.CLOCK_MONOTONIC)
    bell.hangup()
    begun = manager.hear("RELOADING")
    assert int(begun["MONOTONIC_USEC"]) >= before * 1e6
    assert manager.hear("READY")["READY"] == "1"
    assert not any("WATCHDOG" in said for said in manager.heard)


def test_stop_hands_the_sessions_to_a_child(bell, manager):
    """The manager's process ends at once; nobody is sent away for it, and
    another one can be started beside the rest of the old."""
    bell.start()
    manager.hear("READY")
    with bell.connect() as client:
        assert client.line() == TEASER
        bell.terminate()
        manager.hear("STOPPING")
        assert bell.wait() == 0
        bell.start()
        manager.hear("READY")
        passes(bell, PASS_NEW, source="127.0.0.3", subject="next")
        client.expect(GREETING)
        client.deliver(subject="held")
    bell.postfix.wait_for_mail("held")


@pytest.mark.stops
def test_watchdog_is_fed_by_the_loop(bell, manager):
    bell.environment["WATCHDOG_USEC"] = "400000"
    bell.start()
    manager.hear("READY")
    began = time.monotonic()
    for _ in range(3):
        manager.hear("WATCHDOG")
    # Twice in its time, from a timer: three take two intervals at least.
    assert time.monotonic() - began >= 0.35
    os.kill(bell.pid, signal.SIGSTOP)
    until(
        lambda: "T" in processes.status(bell.pid, "State"), "a stopped process"
    )
    manager.forget()
    os.kill(bell.pid, signal.SIGCONT)
    manager.hear("WATCHDOG")


def test_watchdog_of_another_process_is_not_fed(patient, manager):
    bell = patient
    bell.environment["WATCHDOG_USEC"] = "10000"
    bell.environment["WATCHDOG_PID"] = "1"
    bell.start()
    manager.hear("READY")
    with bell.connect() as client:
        assert client.line() == TEASER
        while manager.hear("STATUS")["STATUS"] != "1 session":
            pass
    assert not any("WATCHDOG" in said for said in manager.heard)


def test_nothing_of_it_is_inherited(bell, manager):
    """postmap(1), which reads tables for us, is not the service."""
    bell.start()
    manager.hear("READY")
    script = os.path.join(bell.directory, "postmap")
    with open(script, "w") as f:
        f.write("#!/bin/sh\nenv > %s/environment\n" % bell.directory)
    os.chmod(script, 0o755)
    table = os.path.join(bell.directory, "table.db")
    open(table, "w").close()
    bell.terminate()
    assert bell.wait() == 0
    bell.main["command_directory"] = bell.directory
    bell.main["doorbell_access_list"] = "hash:" + table[:-3]
    bell.start()
    with open(bell.directory + "/environment") as f:
        environment = f.read()
    assert "PATH=" in environment
    assert "NOTIFY_SOCKET" not in environment


def fails_with(bell, line):
    bell.launch()
    assert bell.wait() == 1
    bell.log.expect(line)
    bell.log.wait_for(line)


def test_a_manager_that_is_not_there(ring):
    bell = ring.standalone(ring.start())
    bell.environment["NOTIFY_SOCKET"] = bell.directory + "/nobody"
    fails_with(bell, r"error: NOTIFY_SOCKET=\S+/nobody: No such file.*")


@pytest.mark.parametrize("number", ["65", "x", "-1"])
def test_impossible_number_of_sockets(ring, number):
    bell = ring.standalone(ring.start())
    bell.starter = ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh"]
    bell.environment["LISTEN_FDS"] = number
    fails_with(bell, r"error: LISTEN_FDS=%s: not a number up to 64" % number)


def test_sockets_that_are_not_there(ring):
    bell = ring.standalone(ring.start())
    bell.starter = ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh"]
    bell.environment["LISTEN_FDS"] = "9"
    fails_with(bell, r"error: LISTEN_FDS=9: descriptor \d+: Bad file.*")


def test_sockets_of_others_are_left_alone(ring):
    """LISTEN_PID tells whose they are."""
    bell = ring.standalone(ring.start())
    bell.environment.update({"LISTEN_PID": "1", "LISTEN_FDS": "1"})
    passes(bell.start(), PASS_NEW)


def test_activation_by_the_first_client(ring):
    """The manager's sockets, and no more: doorbell_listen is not opened."""
    postfix = ring.start()
    bell = ring.standalone(postfix)
    second = ring.ports.take()
    bell.main["doorbell_listen"] = "inet:127.0.0.1:%d" % ring.ports.take()
    activate(bell, "--listen=[::1]:%d" % second, "smtp:smtp")
    passes(bell, PASS_NEW)
    passes(bell, PASS_OLD)
    port, bell.port = bell.port, second
    passes(bell, PASS_NEW, host="::1")
    bell.port = port
    unopened = re.search(r":(\d+)$", bell.main["doorbell_listen"]).group(1)
    assert not processes.listens(bell.pid, int(unopened))


def test_control_socket_of_the_manager(ring, tmp_path):
    """It has a name of its own, and the mode that the manager gave it."""
    bell = ring.standalone(ring.start())
    path = str(tmp_path / "control")
    bell.main["doorbell_control_socket"] = path
    activate(bell, "--listen=" + path, "control:smtp")
    passes(bell, PASS_NEW)
    assert ctl(bell, "status").returncode == 0


def test_control_socket_that_is_none(ring):
    bell = ring.standalone(ring.start())
    wrong = "--listen=127.0.0.1:%d" % ring.ports.take()
    activate(bell, wrong, "control:smtp")
    passes(bell, PASS_NEW)
    bell.log.expect(r"warning: control socket: descriptor 3 is not.*")
    bell.log.wait_for(r"warning: control socket: descriptor 3 is not.*")


def test_http_sockets_of_the_manager(ring, tmp_path):
    """In the place of what the configuration says."""
    for place in str(tmp_path / "page"), ring.ports.take():
        bell = ring.standalone(ring.start())
        unopened = ring.ports.take()
        bell.main["doorbell_http_listen"] = "inet:127.0.0.1:%d" % unopened
        name = place if isinstance(place, str) else "127.0.0.1:%d" % place
        activate(bell, "--listen=" + name, "http:smtp")
        passes(bell, PASS_NEW)
        assert web.get(place, "/healthz") == "ok\n"
        assert not processes.listens(bell.pid, unopened)


def test_http_socket_for_everybody(ring):
    """One that the world could read is not served."""
    bell = ring.standalone(ring.start())
    port = ring.ports.take()
    activate(bell, "--listen=0.0.0.0:%d" % port, "http:smtp")
    passes(bell, PASS_NEW)
    trouble = r"warning: status page: descriptor 3 does not.*"
    bell.log.expect(trouble)
    bell.log.wait_for(trouble)


SERVICES = ["doorbelld.service", "doorbell-offenders.service"]
UNITS = SERVICES + ["doorbelld.socket", "doorbell-offenders.timer"]


@pytest.mark.parametrize("name", SERVICES)
def test_units_are_hardened(name):
    result = subprocess.run(
        [
            "systemd-analyze",
            "security",
            "--offline=true",
            "--threshold=20",
            os.path.join(CONF, name),
        ],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_units_have_no_errors(tmp_path):
    """systemd reads them without a complaint, but for what is not installed
    here."""
    for name in UNITS:
        with open(os.path.join(CONF, name)) as f:
            text = re.sub(r"(?m)^Documentation=.*$", "", f.read())
        text = text.replace("/usr/sbin/doorbelld", "/bin/true")
        (tmp_path / name).write_text(text)
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no"]
        + [str(tmp_path / name) for name in UNITS],
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stderr) == (0, "")


def activate(bell, first, names):
    """A manager that listens, and starts doorbelld for the first client."""
    bell.starter = [
        "systemd-socket-activate",
        first,
        "--listen=127.0.0.1:%d" % bell.port,
        "--fdname=" + names,
        "--setenv=ASAN_OPTIONS",
        "--setenv=UBSAN_OPTIONS",
    ]
    bell.environment["SYSTEMD_LOG_LEVEL"] = "err"
    bell.launch()
    until(
        lambda: processes.listens(bell.pid, bell.port), "the manager's socket"
    )


def ctl(bell, *words):
    program = os.path.join(
        os.path.dirname(bell.postfix.screener.path), "doorbellctl"
    )
    return subprocess.run(
        [program, "-c", bell.file, *words], capture_output=True, text=True
    )


def of_root(root, command, name):
    """What a tool of systemd makes of a file of ours in another root."""
    with open(os.path.join(CONF, name)) as f:
        subprocess.run(command + ["--root=" + root, "-"], stdin=f, check=True)


def test_sysusers_and_tmpfiles(tmp_path):
    root = str(tmp_path)
    os.mkdir(root + "/etc")
    of_root(root, ["systemd-sysusers"], "doorbell.sysusers")
    with open(root + "/etc/group") as f:
        assert re.search(r"^doorbell:", f.read(), re.M)
    with open(root + "/etc/passwd", "a") as f:
        f.write("root:x:0:0::/:/bin/sh\n")
    with open(root + "/etc/group", "a") as f:
        f.write("root:x:0:\n")
    of_root(root, ["systemd-tmpfiles", "--create"], "doorbell.tmpfiles")
    assert os.stat(root + "/run/doorbell").st_mode & 0o7777 == 0o755
