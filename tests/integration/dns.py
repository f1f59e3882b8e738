# SPDX-License-Identifier: ISC
"""A real rbldnsd(8) with zones of our own."""

import os
import signal
import socket
import struct
import subprocess
import threading

from waiting import GENEROUS_S, TooLate, until

NAME_SERVER = "ns.ring.test"


class Zone:
    """One list: which addresses it names, with which value and TTL.

    `entries` maps what rbldnsd calls an entry ("127.0.0.5", "::1") to the
    value ("127.0.0.2", or several). `kind` is ip4set, ip4trie, ip6trie or
    dnset. The SOA gives negative answers their TTL."""

    def __init__(self, name, entries, kind="ip4set", ttl=60, negative_ttl=60):
        self.name = name
        self.entries = entries
        self.kind = kind
        self.ttl = ttl
        self.negative_ttl = negative_ttl

    def text(self):
        lines = [
            "$TTL %d" % self.ttl,
            "$SOA %d %s hostmaster.ring.test 1 600 300 86400 %d"
            % (self.negative_ttl, NAME_SERVER, self.negative_ttl),
            "$NS %d %s" % (self.ttl, NAME_SERVER),
        ]
        lines += [
            "%s :%s:listed" % (entry, value) for entry, value in self.entries
        ]
        return "\n".join(lines) + "\n"


def listed(*entries):
    """Entries of a zone: "127.0.0.5" or ("127.0.0.5", "127.0.0.9")."""
    return [e if isinstance(e, tuple) else (e, "127.0.0.2") for e in entries]


class Rbldnsd:
    """The name server, in the foreground, in its own directory."""

    def __init__(self, directory, network, port, user="nobody"):
        self.port = port
        self.address = "127.0.0.1:%d" % port
        self._directory = directory
        self._network = network
        self._user = user
        self._zones = {}
        self._process = None

    def serve(self, *zones):
        """Serve these zones (as well), from the next moment on."""
        for zone in zones:
            self._zones[zone.name] = zone
            path = os.path.join(self._directory, zone.name)
            with open(path, "w") as f:
                f.write(zone.text())
            os.chmod(path, 0o644)
        self.kill()
        self.start()

    def start(self):
        argv = [
            "rbldnsd",
            "-n",
            "-u",
            self._user,
            "-w",
            self._directory,
            "-b",
            "127.0.0.1/%d" % self.port,
            "-f",
            "-c",
            "0",
        ]
        argv += [
            "%s:%s:%s" % (z.name, z.kind, z.name) for z in self._zones.values()
        ]
        with open(os.path.join(self._directory, "log"), "ab") as out:
            self._process = subprocess.Popen(
                self._network.command(argv),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        until(self._answers, "an answer of rbldnsd: " + self._directory)

    def _answers(self):
        if self._process.poll() is not None:
            raise TooLate("rbldnsd ended: " + self._directory)
        name = next(iter(self._zones))
        labels = b"".join(
            bytes([len(l)]) + l for l in name.encode("ascii").split(b".")
        )
        query = (
            struct.pack(">6H", 7, 0, 1, 0, 0, 0)
            + labels
            + b"\0"
            + struct.pack(">2H", 6, 1)
        )
        with self._network.make_socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.2)
            try:
                s.connect(("127.0.0.1", self.port))
                s.send(query)
                return s.recv(512)[:2] == b"\0\7"
            except OSError:
                return False

    def freeze(self):
        """From now on it takes questions and answers none."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self._process.send_signal(signal.SIGCONT)

    def kill(self):
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Scripted:
    """A name server with bad manners, in threads of this process.

    `script(name)` says what becomes of a question: a list of addresses (empty:
    no such name), or "silence", "servfail", "garbled", "alien" (an answer to
    another question first), "truncated" (the addresses come by TCP only), the
    latter with the addresses in a tuple. Questions are kept in `asked`, those
    by TCP in `asked_by_tcp`."""

    def __init__(self, port, script):
        self.address = "127.0.0.1:%d" % port
        self.script = script
        self.asked = []
        self.asked_by_tcp = []
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", port))
        self._tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._tcp.bind(("127.0.0.1", port))
        self._tcp.listen(5)
        self._threads = [
            threading.Thread(target=work, daemon=True)
            for work in (self._serve_udp, self._serve_tcp)
        ]
        for thread in self._threads:
            thread.start()

    def receive_bytes(self, n):
        """How much may wait in its socket; more is lost. A question takes
        about 768, and the kernel grants twice what it is asked for."""
        self._udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, n)

    @staticmethod
    def _name(question):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1 : at + 1 + question[at]])
            at += 1 + question[at]
        return b".".join(labels).decode("ascii"), question[12 : at + 5]

    @staticmethod
    def _message(question, body, rcode=0, addresses=(), truncated=False):
        flags = 0x8180 | rcode | (0x0200 if truncated else 0)
        out = question[:2] + struct.pack(
            ">5H", flags, 1, len(addresses), 0, 0
        )
        out += body
        for address in addresses:
            out += struct.pack(">3HIH", 0xC00C, 1, 1, 60, 4)
            out += socket.inet_aton(address)
        return out

    def _answers(self, question, by_tcp):
        """The messages to send back."""
        name, body = self._name(question)
        (self.asked_by_tcp if by_tcp else self.asked).append(name)
        what = self.script(name)
        addresses = []
        if isinstance(what, tuple):
            what, addresses = what
        elif isinstance(what, list):
            what, addresses = "", what
        full = self._message(
            question, body, 0 if addresses else 3, addresses
        )
        if what == "silence":
            return []
        if what == "servfail":
            return [self._message(question, body, 2)]
        if what == "garbled":
            return [self._message(question, body, 0, ["127.0.0.2"])[:-3]]
        if what == "alien":
            other = b"\1x" + body[body[0] + 1 :]
            return [self._message(question, other, 0, ["127.0.0.66"]), full]
        if what == "truncated" and not by_tcp:
            return [self._message(question, body, truncated=True)]
        return [full]

    def _serve_udp(self):
        while True:
            try:
                question, peer = self._udp.recvfrom(512)
                if not question:
                    return  # shut down
                for message in self._answers(question, False):
                    self._udp.sendto(message, peer)
            except OSError:
                return

    def _serve_tcp(self):
        while True:
            try:
                caller, _ = self._tcp.accept()
            except OSError:
                return
            with caller, caller.makefile("rwb") as stream:
                head = stream.read(2)
                while len(head) == 2:
                    question = stream.read(struct.unpack(">H", head)[0])
                    for message in self._answers(question, True):
                        stream.write(struct.pack(">H", len(message)) + message)
                    stream.flush()
                    head = stream.read(2)

    def kill(self):
        for s in self._udp, self._tcp:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()
        # The kernel keeps the port for as long as somebody is inside a call.
        for thread in self._threads:
            thread.join(GENEROUS_S)
