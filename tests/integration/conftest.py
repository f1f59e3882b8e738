# SPDX-License-Identifier: ISC
"""The integration ring: real Postfix, real rbldnsd, a client with bad manners.

    SCREENER    doorbelld (default) or postscreen
    DOORBELLD   the program under test, default build/plain/doorbelld
    RING_PATIENCE  seconds that a prompt event may take, default 60
"""

import os
import shutil
import signal
import tempfile

import pytest

import namespace
from dns import Rbldnsd, Scripted
from ports import Ports
from postfix import Postfix
from screener import Screener
from standalone import Standalone

SCREENER = os.environ.get("SCREENER", "doorbelld")


def pytest_configure(config):
    if SCREENER not in ("doorbelld", "postscreen"):
        raise pytest.UsageError("SCREENER is doorbelld or postscreen")
    if os.geteuid() != 0:
        raise pytest.UsageError("master(8) has to be started by root")
    # A shell's background jobs ignore it, and so would what we start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    path = Screener(SCREENER).path
    if path and not os.access(path, os.X_OK):
        raise pytest.UsageError("%s has not been built" % path)


# First, because xdist looks for the groups in the same hook.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    # One crowd at a time: what many clients need of the kernel (descriptors on
    # their way, above all) is counted for all processes of a user. They take
    # long, so they come first.
    items.sort(key=lambda item: item.get_closest_marker("load") is None)
    for item in items:
        if item.get_closest_marker("load"):
            item.add_marker(pytest.mark.xdist_group("load"))
    elsewhere = pytest.mark.skip(reason="only doorbelld does this")
    for item in items:
        if SCREENER == "postscreen" and (
            item.get_closest_marker("own")
            or item.get_closest_marker("standalone")
        ):
            item.add_marker(elsewhere)
        if (
            SCREENER == "postscreen"
            and item.get_closest_marker("dnsbl")
            and not namespace.possible()
        ):
            item.add_marker(pytest.mark.skip(reason="no namespaces here"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failure shows the logs of its instances."""
    outcome = yield
    report = outcome.get_result()
    ring = getattr(item, "funcargs", {}).get("ring")
    if report.failed and ring is not None:
        for path, tail in ring.logs():
            report.sections.append(("log " + path, tail))


class Ring:
    """What a scenario is built from; all of it goes when it ends."""

    def __init__(self, screener):
        self.screener = screener
        self.ports = Ports()
        self._directory = tempfile.mkdtemp(prefix="ring.")
        os.chmod(self._directory, 0o755)
        self._made = []
        self._instances = []
        self._networks = []
        self._own = {"doorbell_dnsbl_selftest_interval": "0s"}

    def _subdirectory(self, name):
        path = os.path.join(self._directory, "%s%d" % (name, len(self._made)))
        os.mkdir(path)
        os.chmod(path, 0o755)
        return path

    def namespace(self):
        """A network of its own for what is built from now on."""
        network = namespace.Namespace(self._subdirectory("net"))
        self._networks.append(network)
        return network

    def _network(self):
        return self._networks[-1] if self._networks else namespace.Host()

    def build(self, own=None, **main):
        """A Postfix that is not started yet; main.cf has `main`, and
        doorbell.cf has `own` (when doorbelld screens)."""
        postfix = Postfix(
            self._subdirectory("p"), self.ports, self.screener, self._network()
        )
        postfix.main.update(main)
        postfix.own.update(self._own, **(own or {}))
        self._made.append(postfix)
        self._instances.append(postfix)
        return postfix

    def start(self, own=None, **main):
        """A running Postfix."""
        return self.build(own, **main).start()

    def standalone(self, postfix, **main):
        """A doorbelld without master(8), not started yet."""
        screener = Standalone(postfix, self.ports)
        screener.main.update(self._own, **main)
        self._made.append(screener)
        self._instances.append(screener)
        return screener

    def lists(self, *zones):
        """A name server that the screener of later instances will ask.

        doorbelld is told its address; postscreen asks those of resolv.conf, so
        that it has to be in a network of its own."""
        if not self.screener.is_doorbelld and not self._networks:
            self.namespace()
        server = self.rbldnsd(*zones)
        self._own.update(
            {
                "doorbell_dns_servers": server.address,
                # Loopback addresses are not looked up unless asked for.
                "doorbell_dnsbl_skip_networks": "",
            }
        )
        return server

    def rbldnsd(self, *zones):
        """A name server for these zones."""
        port = 53 if self._networks else self.ports.take()
        server = Rbldnsd(self._subdirectory("dns"), self._network(), port)
        self._made.append(server)
        server.serve(*zones)
        return server

    def scripted_lists(self, script):
        """The same with a name server that does what `script` says."""
        server = Scripted(self.ports.take(), script)
        self._made.append(server)
        self._own.update(
            {
                "doorbell_dns_servers": server.address,
                "doorbell_dnsbl_skip_networks": "",
            }
        )
        return server

    def logs(self):
        return [(i.log.path, i.log.tail()) for i in self._instances]

    def clean_up(self):
        for made in reversed(self._made):
            made.clean_up() if hasattr(made, "clean_up") else made.kill()
        for network in self._networks:
            network.close()
        self.ports.release()

    def complaints(self):
        """Log lines and sanitizer reports that no scenario asked for."""
        found = []
        for instance in self._instances:
            found += instance.log.unexpected()
            if isinstance(instance, Postfix):
                found += instance.sanitizer_reports()
        return found

    def remove(self):
        shutil.rmtree(self._directory)


@pytest.fixture
def screener():
    return Screener(SCREENER)


@pytest.fixture
def ring(screener):
    made = Ring(screener)
    try:
        yield made
    finally:
        try:
            made.clean_up()
            complaints = made.complaints()
        finally:
            made.remove()
    assert not complaints, "unexpected in the log:\n" + "\n".join(complaints)
