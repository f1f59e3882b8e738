# SPDX-License-Identifier: ISC
"""One call after another fails in a session: each system call, and each
allocation, of doorbelld or of a library that it uses. The next client is served
as if nothing had been, and nothing is left behind."""

import errno
import itertools
import os
import socket
import ssl
import subprocess
import time

import pytest

import processes
from nth import MEMORY, Saboteur
from test_starttls import make_key
from waiting import GENEROUS_S, until

pytestmark = pytest.mark.standalone

SPEED = 40
GREET_WAIT = "2s"

# What the kernel never refuses is not here, such as F_SETFL for a socket: c-ares
# does not look whether that has failed.
ERRORS = {
    "accept4": ("EMFILE", "ECONNABORTED", "ENOBUFS"),
    "bind": ("EADDRINUSE",),
    "close": ("EIO",),
    "connect": ("ECONNREFUSED", "EAGAIN", "ENOBUFS"),
    "epoll_ctl": ("ENOMEM",),
    "epoll_wait": ("EINTR",),
    "getrandom": ("EAGAIN",),
    "getsockname": ("ENOBUFS",),
    "getsockopt": ("ENOBUFS",),
    "ioctl": ("EPERM",),
    "mmap": ("ENOMEM",),
    "poll": ("EINTR", "ENOMEM"),
    "pwrite": ("ENOSPC",),
    "read": ("EIO",),
    "recv": ("ECONNRESET", "EAGAIN", "ENOBUFS"),
    "recvfrom": ("ECONNREFUSED", "EAGAIN", "ENOBUFS"),
    "send": ("EPIPE", "EAGAIN", "ENOBUFS"),
    "sendmsg": ("EPIPE", "EAGAIN", "ENOBUFS"),
    "setsockopt": ("ENOBUFS",),
    "shutdown": ("ENOTCONN",),
    "socket": ("EMFILE",),
    "socketpair": ("EMFILE",),
    "write": ("EAGAIN", "EIO"),
    "writev": ("EPIPE", "EAGAIN", "ENOBUFS"),
}
ERRORS.update((call, ("ENOMEM",)) for call in MEMORY)

# A client that is closed without a word: by these its connection broke, or the
# word did not get out.
CUT = ("recv", "send", "writev", "read", "write", "accept4")

KNOWN = "127.1.0.1"
MAIL = (
    b"EHLO client.test",
    b"MAIL FROM:<a@client.test>",
    b"RCPT TO:<b@example.test>",
    b"QUIT",
)


class Conversation:
    """A client that takes what comes, and what became of it."""

    def __init__(self, bell, source):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.settimeout(GENEROUS_S)
        self.socket.bind((source, 0))
        self.socket.connect(("127.0.0.1", bell.port))
        self.unread = b""
        self.last = b""

    def reply(self):
        """The code of the next reply; 0 at the end of the stream."""
        while True:
            *lines, _ = self.unread.split(b"\n")
            for i, line in enumerate(lines):
                self.last = line
                if line[3:4] != b"-":
                    self.unread = b"\n".join(
                        self.unread.split(b"\n")[i + 1 :]
                    )
                    return int(line[:3])
            try:
                fresh = self.socket.recv(4096)
            except (ConnectionResetError, ssl.SSLError):
                fresh = b""
            if not fresh:
                return 0
            self.unread += fresh

    def say(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            pass

    def mail(self):
        """From the greeting to QUIT; "served", or what came instead."""
        code = self.reply()
        for line in MAIL:
            if not 200 <= code < 400:
                break
            self.say(line + b"\r\n")
            code = self.reply()
        return self.judge(code)

    def judge(self, code):
        return {2: "served", 4: "later", 5: "refused", 0: "cut"}[code // 100]

    def start_tls(self):
        """True when from now on all is encrypted."""
        code = self.reply()
        for line in b"EHLO client.test", b"STARTTLS":
            if code // 100 != 2:
                return self.judge(code)
            self.say(line + b"\r\n")
            code = self.reply()
        if code != 220:
            return self.judge(code)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        try:
            self.socket = context.wrap_socket(self.socket)
        except (OSError, ssl.SSLError):
            return "cut"
        return None

    def mail_in_tls(self):
        failed = self.start_tls()
        if failed:
            return failed
        self.say(MAIL[0] + b"\r\n")
        # There is no second greeting.
        code = self.reply()
        for line in MAIL[1:]:
            if not 200 <= code < 400:
                break
            self.say(line + b"\r\n")
            code = self.reply()
        return self.judge(code)


def stranger(bell, fresh):
    """Greet test, DNS, dialogue, relay to smtpd."""
    return Conversation(bell, fresh(1)).mail()


def known(bell, fresh):
    """Cache, hand-off."""
    return Conversation(bell, KNOWN).mail()


def listed(bell, fresh):
    """Refused in the dialogue."""
    return Conversation(bell, fresh(9)).mail()


def pregreeter(bell, fresh):
    client = Conversation(bell, fresh(2))
    client.say(b"EHLO client.test\r\n")
    return client.mail()


def in_tls(bell, fresh):
    """Refused by the access list in the dialogue, in TLS."""
    return Conversation(bell, fresh(7)).mail_in_tls()


def proxied(bell, fresh):
    """Behind a proxy: the header, then as a known client."""
    client = Conversation(bell, "127.8.0.1")
    client.say(b"PROXY TCP4 %s 198.51.100.25 4000 25\r\n" % KNOWN.encode())
    return client.mail()


STORIES = {
    stranger: "served",
    known: "served",
    listed: "refused",
    pregreeter: "refused",
    in_tls: "refused",
    proxied: "served",
}


# Blocks of memory: a client is remembered, with what it did.
REMEMBERED = 4
REPEATED = 10
AGAIN = 5


class House:
    """doorbelld with a saboteur in it, a name server, and something that takes
    connections as smtpd does."""

    def __init__(self, ring, **main):
        lists = ring.scripted_lists(
            lambda name: ["127.0.0.2"] if ".9.127.bl.test" in name else []
        )
        postfix = ring.build()
        key = make_key(postfix, "key")
        access = postfix.file("access.cidr", "127.7.0.0/16 reject\n")
        self.bell = ring.standalone(
            postfix,
            doorbell_access_list="cidr:" + access,
            doorbell_denylist_action="enforce",
            doorbell_dns_servers=lists.address,
            doorbell_dnsbl_skip_networks="",
            doorbell_dnsbl_sites="bl.test",
            doorbell_dnsbl_action="enforce",
            doorbell_greet_action="enforce",
            doorbell_pipelining_enable="yes",
            doorbell_upstream_proxy_protocol="haproxy",
            doorbell_proxy_networks="127.8.0.0/16",
            doorbell_greet_wait=GREET_WAIT,
            smtpd_tls_security_level="may",
            smtpd_tls_cert_file=key + ".pem",
            smtpd_tls_key_file=key + ".key",
            **main
        )
        self.saboteur = Saboteur(self.bell, SPEED)
        smtpd = os.path.join(self.bell.directory, "private")
        os.mkdir(smtpd)
        os.chmod(smtpd, 0o755)
        self.bell.main["doorbell_smtpd_service"] = smtpd + "/smtpd"
        self.receiver = subprocess.Popen(
            [
                os.path.join(
                    os.path.dirname(postfix.screener.path),
                    "tests/bench/receiver",
                ),
                self.bell.directory,
            ]
        )
        self.serial = itertools.count(1)
        self.bell.start()
        self.bell.log.expect(r".*")
        self.pid = self.bell.pid

    def close(self):
        self.receiver.kill()
        self.receiver.wait()

    def fresh(self, network):
        n = next(self.serial)
        return "127.%d.%d.%d" % (network, n // 250 + 1, n % 250 + 1)

    def idle(self):
        """Nobody is left."""
        until(
            lambda: self.saboteur.descriptors() <= self.rest,
            lambda: "%d descriptors, not %d; the log:\n%s"
            % (self.saboteur.descriptors(), self.rest, self.bell.log.tail(9)),
        )

    def settle(self, story):
        """Everything has been used once."""
        for _ in range(5):
            self.serves(story)
        self.rest = min(self.look() for _ in range(10))

    def serves(self, story):
        """As always; a list may have to be given another chance."""
        until(
            lambda: story(self.bell, self.fresh) == STORIES[story],
            lambda: "%s; the log:\n%s" % (STORIES[story], self.bell.log.tail()),
        )

    def look(self):
        time.sleep(0.02)
        return self.saboteur.descriptors()

    def grows_by(self, story, *fault):
        """Blocks of memory that are kept when the story is over."""
        before = self.saboteur.live()
        self.saboteur.arm(*fault)
        became = story(self.bell, self.fresh)
        calls = self.saboteur.disarm()
        self.idle()
        return became, calls, self.saboteur.live() - before

    def keeps_nothing(self, story, fault, what):
        """Not for long: questions that nobody answers have their time."""
        before = self.saboteur.live()
        for _ in range(REPEATED):
            self.grows_by(story, *fault)
        until(
            lambda: self.saboteur.live() - before <= REPEATED * REMEMBERED,
            lambda: "%s: %d blocks are lost in %d runs"
            % (what, self.saboteur.live() - before, REPEATED),
        )


def allowed(house, story, call, became, mark):
    want = STORIES[story]
    if became in (want, "later"):
        return True
    if became == "cut":
        # What smtpd has begun to say is not ours to end.
        return (
            call in CUT
            or story == in_tls
            or house.bell.log.find(r"RELAYED .*", after=mark)
        )
    # A list that cannot be asked lists nobody, and the log says so.
    return became == "served" and house.bell.log.find(
        r"warning: .*|.*DNSBL score \d+ incomplete.*", after=mark
    )


def sweep(house, story, call, error):
    """The call fails for the first time, the second time, ..."""
    wrong, at, again = [], 1, 0
    while True:
        mark = house.bell.log.mark()
        fault = (call, at, getattr(errno, error))
        became, calls, kept = house.grows_by(story, *fault)
        assert processes.is_alive(house.pid), (fault, house.bell.log.tail())
        what = "%s: %s %d of %d %s" % (story.__name__, error, at, calls, call)
        if not allowed(house, story, call, became, mark):
            wrong.append((what, became, house.bell.log.tail(5)))
        if kept > REMEMBERED:
            house.keeps_nothing(story, fault, what)
        if calls >= at:
            at += 1
        elif became == STORIES[story] or again == AGAIN:
            return at - 1, wrong
        else:
            again += 1  # it went another way before it came to that call


@pytest.mark.parametrize("story", STORIES, ids=lambda s: s.__name__)
def test_each_call_fails_once(ring, story):
    with open(ring.screener.path, "rb") as f:
        if b"__asan_init" in f.read():
            pytest.skip("a sanitizer has to be loaded first")
    # Who is rejected is not watched for talking early then.
    hasty = {"doorbell_greet_banner": ""} if story == in_tls else {}
    house = House(ring, **hasty)
    try:
        house.settle(story)
        wrong, faults = [], 0
        for call, errors in ERRORS.items():
            for error in errors:
                n, bad = sweep(house, story, call, error)
                faults += n
                wrong += bad
                house.serves(story)
        print("%s: %d faults" % (story.__name__, faults))
        assert not wrong, "\n".join(map(str, wrong))
        assert not house.bell.log.find(r"(panic|fatal): .*")
    finally:
        house.close()
