# SPDX-License-Identifier: ISC
"""Attacks on the protocols: what a client or a name server says in order to be
taken for another, or for two. (test_hostile.py has those on our resources.)"""

import re
import socket
import ssl
import struct
import subprocess
import threading

import pytest

from scripts import CONNECT, GREETING, PASS_NEW, PASS_OLD, TEASER
from waiting import until

DEEP = {
    "postscreen_pipelining_enable": "yes",
    "postscreen_non_smtp_command_enable": "yes",
}
OPEN = {
    "smtpd_client_connection_count_limit": "0",
    "postscreen_client_connection_count_limit": "0",
    "smtpd_error_sleep_time": "0",
}

# --- smuggling ------------------------------------------------------------------
# What one server takes for the end of a mail, and another does not.
ENDINGS = {
    "lf-dot-lf": b"\n.\n",
    "lf-dot-crlf": b"\n.\r\n",
    "crlf-dot-lf": b"\r\n.\n",
    "cr-dot-cr": b"\r.\r",
    "cr-dot-crlf": b"\r.\r\n",
    "crlf-dot-cr": b"\r\n.\r",
    "lf-dot-cr": b"\n.\r",
    "cr-dot-lf": b"\r.\n",
    "crcrlf-dot-crcrlf": b"\r\r\n.\r\r\n",
    "crlf-nul-dot-crlf": b"\r\n\0.\r\n",
    "crlf-dot-nul-crlf": b"\r\n.\0\r\n",
    "crlf-dot-dot-lf": b"\r\n..\n.\r\n",
}
# Lines before the recipient, which doorbelld has to tell smtpd again.
BEGINNINGS = {
    "plain": (b"EHLO one.test\r\n", b"MAIL FROM:<a@one.test>\r\n"),
    "lf": (b"EHLO two.test\n", b"MAIL FROM:<a@two.test>\n"),
    "lf-mail": (b"EHLO two.test\r\n", b"MAIL FROM:<a@two.test>\n"),
    "cr": (
        b"EHLO x.test\rEHLO three.test\r\n",
        b"MAIL FROM:<a@three.test>\rRCPT TO:<b@c.test>\r\n",
    ),
    "crcrlf": (b"EHLO four.test\r\r\n", b"MAIL FROM:<a@four.test>\r\r\n"),
    "nul": (
        b"EHLO five.test\0x\r\n",
        b"MAIL FROM:<a@five.test>\0 BODY=x\r\n",
    ),
    "blanks": (b"EHLO  six.test \r\n", b"MAIL FROM: <a@six.test> \r\n"),
}


def without_ids(lines):
    """Replies that can be compared."""
    return [re.sub(rb"queued as \w+", b"queued", line) for line in lines]


def said(client):
    return without_ids(client.end().split(b"\r\n"))


def mail_of(postfix, name):
    """What was delivered of one attack, without what differs anyway."""
    texts = []
    for text in postfix.inbox():
        if name in text:
            head, _, body = text.partition("\n\n")
            kept = [
                line
                for line in head.split("\n")
                if not line.startswith(("\t", "Date:", "Message-Id:"))
            ]
            received = re.findall(r"^Received: from .*", head, re.M)
            texts.append((kept, received, body))
    return sorted(texts)


def smuggles(postfix, source, greeting, name, ending):
    """One mail with another one behind an end that may be none."""
    with postfix.connect(source) as client:
        client.expect(*greeting)
        client.ask("EHLO smuggler.test")
        client.ask("MAIL FROM:<a@smuggler.test>")
        client.ask("RCPT TO:<inbox@example.test>")
        assert client.ask("DATA").code == 354
        client.send(
            b"Subject: %s\r\n\r\nfirst" % name
            + ending
            + b"MAIL FROM:<b@smuggler.test>\r\n"
            b"RCPT TO:<inbox@example.test>\r\nDATA\r\n"
            b"Subject: smuggled %s\r\n\r\nsecond\r\n.\r\nQUIT\r\n" % name
        )
        return said(client)


@pytest.mark.own
@pytest.mark.parametrize("forbid", ["no", "normalize", "reject"])
def test_smuggled_mail_is_the_same_through_a_relay(ring, forbid):
    """smtpd alone says where a mail ends, whichever way it was reached."""
    postfix = ring.start(smtpd_forbid_bare_newline=forbid, **DEEP, **OPEN)
    for n, (name, ending) in enumerate(ENDINGS.items(), 1):
        source = "127.0.7.%d" % n
        stories = []
        for way, greeting in (
            ("relayed", (TEASER, GREETING)),
            ("direct", (GREETING,)),
        ):
            subject = "<%s %s %s>" % (name, forbid, way)
            said = smuggles(
                postfix, source, greeting, subject.encode(), ending
            )
            accepted = sum(line.startswith(b"250 2.0.0 Ok") for line in said)
            until(
                lambda: len(mail_of(postfix, subject)) >= accepted,
                "%d mails of %s" % (accepted, subject),
            )
            mails = repr(mail_of(postfix, subject)).replace(subject, "X")
            stories.append((said, mails))
        assert stories[0] == stories[1], name
        relayed = r"RELAYED \[%s\]:\d+" % source
        postfix.log.wait_for(relayed)
        assert len(postfix.log.find(relayed)) == 1


def begins(postfix, source, greeting, lines):
    """The commands up to a mail; each waits for its answer."""
    with postfix.connect(source) as client:
        client.expect(*greeting)
        for line in lines:
            client.send(line)
            client.reply()
        client.send(b"RCPT TO:<inbox@example.test>\r\n")
        taken = client.reply().code == 250
        if taken:
            client.ask("DATA")
            client.send("Subject: <%s>\r\n\r\ntext\r\n.\r\n" % source)
        client.send("QUIT\r\n")
        return taken, said(client)


@pytest.mark.own
def test_what_smtpd_is_told_again_is_what_the_client_said(ring):
    """HELO name, sender and strange bytes come out the same as if the client
    had been connected to smtpd from the beginning."""
    postfix = ring.start(smtpd_forbid_bare_newline="no", **DEEP, **OPEN)
    for n, (name, lines) in enumerate(BEGINNINGS.items(), 1):
        source = "127.0.7.%d" % n
        stories = []
        for greeting in (TEASER, GREETING), (GREETING,):
            subject = "<%s>" % source
            before = len(mail_of(postfix, subject))
            story = begins(postfix, source, greeting, lines)
            if story[0]:
                until(
                    lambda: len(mail_of(postfix, subject)) > before,
                    "the mail of " + name,
                )
            stories.append((story, mail_of(postfix, subject)[before:]))
        assert stories[0] == stories[1], name
        relayed = r"RELAYED \[%s\]:\d+" % source
        postfix.log.wait_for(relayed)
        assert len(postfix.log.find(relayed)) == 1


@pytest.mark.own
@pytest.mark.parametrize("begin", ["lf", "lf-mail"])
def test_relay_is_no_way_around_smtpd_forbid_bare_newline(ring, begin):
    postfix = ring.start(smtpd_forbid_bare_newline="reject", **DEEP, **OPEN)
    with postfix.connect() as client:
        client.expect(TEASER, GREETING)
        for line in BEGINNINGS[begin]:
            client.send(line)
            assert client.reply().code == 250
        client.send(b"RCPT TO:<inbox@example.test>\r\n")
        assert b"bare <LF> received" in client.end()
    assert postfix.inbox() == []


def test_smuggled_mail_never_reaches_anybody_through_the_engine(ring):
    """A refused client's DATA is the end of its session."""
    postfix = ring.start(
        postscreen_access_list="static:reject",
        postscreen_denylist_action="enforce",
        postscreen_greet_banner="",
        postscreen_pipelining_action="ignore",
        postscreen_bare_newline_action="ignore",
        postscreen_non_smtp_command_action="ignore",
    )
    for ending in ENDINGS.values():
        with postfix.connect() as client:
            client.expect(GREETING)
            client.send(
                b"HELO x\r\nMAIL FROM:<a@b.test>\r\n"
                b"RCPT TO:<inbox@example.test>\r\nDATA\r\nfirst"
                + ending
                + b"MAIL FROM:<b@b.test>\r\nRCPT TO:<inbox@example.test>\r\n"
                b"DATA\r\nsecond\r\n.\r\nQUIT\r\n"
            )
            replies = client.end().split(b"\r\n")
        assert [reply[:3] for reply in replies] == [
            b"250",
            b"250",
            b"550",
            b"554",
            b"",
        ]
    assert postfix.inbox() == []
    assert not postfix.pids("smtpd")


# --- STARTTLS -------------------------------------------------------------------
def with_keys(ring, **main):
    postfix = ring.build(**dict(DEEP, **main))
    key, cert = postfix.directory + "/key.pem", postfix.directory + "/cert.pem"
    subprocess.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=mx.test"
        " -keyout".split() + [key, "-out", cert],
        check=True,
        capture_output=True,
    )
    postfix.main.update(
        smtpd_tls_security_level="may",
        smtpd_tls_cert_file=cert,
        smtpd_tls_key_file=key,
    )
    return postfix.start()


@pytest.mark.own
def test_commands_behind_a_relayed_starttls_are_thrown_away(ring):
    """CVE-2011-0411, for the TLS that is smtpd's."""
    postfix = with_keys(ring, postscreen_pipelining_enable="no")
    postfix.log.expect(r"warning: TLS library problem: .*")
    with postfix.connect() as client:
        client.expect(TEASER, GREETING)
        client.ask("EHLO client.test")
        client.send(
            "STARTTLS\r\nEHLO evil.test\r\nMAIL FROM:<evil@evil.test>\r\n"
            "RCPT TO:<inbox@example.test>\r\n"
        )
        client.expect("220 2.0.0 Ready to start TLS")
        try:
            client.start_tls()
        except (ssl.SSLError, ConnectionError):
            pass  # smtpd took the commands for a handshake: as good
        else:
            reply = client.ask("RCPT TO:<inbox@example.test>")
            assert reply.code == 503, reply
    postfix.log.wait_for(r"RELAYED .*")
    postfix.log.wait_for(r"disconnect from .*")
    assert postfix.inbox() == []
    assert not postfix.log.find(r".*evil.*")


@pytest.mark.own
def test_commands_behind_starttls_fail_the_test_for_pipelining(ring):
    postfix = with_keys(ring)
    with postfix.connect() as client:
        client.expect(TEASER, GREETING)
        client.ask("EHLO client.test")
        client.send("STARTTLS\r\nMAIL FROM:<a@client.test>\r\n")
        client.expect("220 2.0.0 Ready to start TLS")
        client.start_tls()
        client.ask(
            "RCPT TO:<inbox@example.test>",
            "503 5.5.1 Error: need MAIL command",
        )
        client.ask("QUIT", "221 2.0.0 Bye")
    postfix.log.wait_for(r"COMMAND PIPELINING from .*")
    assert not postfix.log.find(r"(RELAYED|PASS) .*")


# --- the log --------------------------------------------------------------------
FORGED = "[203.0.113.66]:25"
LIES = [
    b"HELO x>, proto=ESMTP, helo=<y",
    b"EHLO \x1b[2J\x00\xff\xfe\xe2\x80\xa8PASS NEW " + FORGED.encode(),
    b"MAIL FROM:<a>, to=<b>, proto=ESMTP, helo=<z>",
    b'MAIL FROM:<"a>, to=<b"@c>',
    b'RCPT TO:<a@"b>, to=<c@d, proto=ESMTP, helo=<e">',
    b"RCPT TO:<\x07\x1b]0;x\x07\rPASS NEW " + FORGED.encode() + b">",
    b"\rNov 21 00:00:00 mx postfix/postscreen[1]: PASS NEW "
    + FORGED.encode(),
    b"PASS\rNEW " + FORGED.encode(),
    b"%s%n%x" * 20,
    b"\xc2\x85\xe2\x80\xa9CONNECT from " + FORGED.encode(),
]
FIELDS = re.compile(
    r"NOQUEUE: reject: RCPT from C: [^;]*; from=<[^<>,]*>, to=<[^<>,]*>, "
    r"proto=E?SMTP, helo=<[^<>,]*>"
)


def is_clean(postfix):
    """Every line has its framing (the log's reader insists), is printable, and
    none is about somebody who was never there."""
    assert not postfix.log.find(r"\W*(PASS|CONNECT|DISCONNECT)\W.*203\.0\.113.*")
    with open(postfix.log.path, "rb") as f:
        text = f.read()
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", text)
    text.decode("utf-8")
    assert b"\xc2\x85" not in text and b"\xe2\x80\xa8" not in text


def test_no_words_of_a_client_forge_a_line_or_a_field(ring):
    postfix = ring.start(
        postscreen_access_list="static:reject",
        postscreen_denylist_action="enforce",
        postscreen_greet_banner="",
        postscreen_pipelining_action="ignore",
        postscreen_bare_newline_action="ignore",
        postscreen_non_smtp_command_action="ignore",
        postscreen_command_count_limit="1000",
    )
    with postfix.connect() as client:
        client.expect(GREETING)
        for lie in LIES:
            client.send(lie + b"\n")
            client.reply()
            client.send(b"RSET\r\nMAIL FROM:<a@b.test>\r\n" + lie + b"\r\n")
            for _ in range(3):
                client.reply()
        client.ask("QUIT", "221 2.0.0 Bye")
    postfix.log.wait_for(r"DISCONNECT .*")
    is_clean(postfix)
    told = [t for t in postfix.log.of(client) if "NOQUEUE" in t]
    assert told
    if postfix.screener.is_doorbelld:
        assert all(FIELDS.fullmatch(line) for line in told), told


@pytest.mark.own
def test_no_words_before_the_greeting_or_of_a_proxy_forge_a_line(ring):
    postfix = ring.build(postscreen_greet_action="enforce")
    postfix.start()
    for lie in LIES:
        with postfix.connect() as client:
            client.send(lie + b"\r\n" + lie)
            client.half_close()
            client.end()
        postfix.log.wait_for(r"DISCONNECT %s" % re.escape(client.me))
    is_clean(postfix)
    postfix.stop()
    postfix.main["postscreen_upstream_proxy_protocol"] = "haproxy"
    postfix.log.expect(r"warning: haproxy read: .*")
    postfix.start()
    mark = postfix.log.mark()
    for lie in LIES:
        with postfix.connect() as client:
            client.send(b"PROXY TCP4 " + lie + b"\r\n")
            client.end()
    postfix.log.wait_for(
        r"warning: haproxy read: .*", after=mark, count=len(LIES)
    )
    is_clean(postfix)


# --- name servers ---------------------------------------------------------------
class Liar:
    """A name server whose first answers are to other questions, or from
    elsewhere; the true answer comes last: not listed."""

    LISTED = "127.0.0.2"

    def __init__(self, port, how):
        self.address = "127.0.0.1:%d" % port
        self._how = how
        self.told = threading.Event()
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", port))
        self._other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        threading.Thread(target=self._serve, daemon=True).start()

    @staticmethod
    def message(number, body, records, rcode=0, flags=0x8180):
        return (
            struct.pack(
                ">6H", number, flags | rcode, 1, len(records), 0, 0
            )
            + body
            + b"".join(records)
        )

    @classmethod
    def record(cls, name=b"\xc0\x0c", kind=1, family=1, ttl=60):
        return (
            name
            + struct.pack(">HHIH", kind, family, ttl, 4)
            + socket.inet_aton(cls.LISTED)
        )

    def _lies(self, number, body):
        """(message, whether it comes from the right port)"""
        end = len(body)
        other = b"\x03evl" + body[body[0] + 1 :]
        yes = [self.record()]
        return {
            "id": [
                (self.message(number ^ n, body, yes), True)
                for n in range(1, 200)
            ],
            "port": [(self.message(number, body, yes), False)],
            "name": [(self.message(number, other, yes), True)],
            "type": [
                (
                    self.message(
                        number, body[: end - 4] + b"\0\x10\0\1", yes
                    ),
                    True,
                )
            ],
            "class": [
                (
                    self.message(
                        number, body[: end - 4] + b"\0\1\0\3", yes
                    ),
                    True,
                )
            ],
            "question": [
                (
                    struct.pack(">6H", number, 0x8180, 0, 1, 0, 0)
                    + body[: end - 4]
                    + self.record(b"")[0:],
                    True,
                )
            ],
            "query": [(self.message(number, body, yes, flags=0x0100), True)],
            # These are answers to the question, and say nothing about it.
            "owner": [
                (
                    self.message(
                        number, body, [self.record(b"\x03evl\x04test\0")]
                    ),
                    True,
                )
            ],
            "txt": [(self.message(number, body, [self.record(kind=16)]), True)],
            "chaos": [
                (self.message(number, body, [self.record(family=3)]), True)
            ],
        }[self._how]

    def _serve(self):
        try:
            while True:
                question, peer = self._udp.recvfrom(512)
                if not question:
                    return  # shut down
                number = struct.unpack(">H", question[:2])[0]
                end = 12
                while question[end]:
                    end += 1 + question[end]
                body = question[12 : end + 5]
                for message, from_here in self._lies(number, body):
                    (self._udp if from_here else self._other).sendto(
                        message, peer
                    )
                self._udp.sendto(self.message(number, body, [], 3), peer)
                self.told.set()
        except OSError:
            return

    def kill(self):
        try:
            self._udp.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._udp.close()
        self._other.close()


@pytest.mark.own
@pytest.mark.parametrize(
    "how",
    [
        "id",
        "port",
        "name",
        "type",
        "class",
        "question",
        "query",
        "owner",
        "txt",
        "chaos",
    ],
)
def test_answers_to_other_questions_list_nobody(ring, how):
    port = ring.ports.take()
    server = Liar(port, how)
    try:
        postfix = ring.build(
            {
                "doorbell_dns_servers": server.address,
                "doorbell_dnsbl_skip_networks": "",
            },
            postscreen_dnsbl_sites="bl.test",
            postscreen_dnsbl_action="enforce",
        )
        postfix.log.expect(r"warning: dnsblog_query: .*")
        postfix.start()
        with postfix.connect("127.0.0.5") as client:
            client.expect(TEASER, GREETING)
            client.ask("QUIT")
        assert server.told.is_set()
        assert not postfix.log.find(r".*(listed by|DNSBL rank).*")
    finally:
        server.kill()


# --- somebody else's name -------------------------------------------------------
VICTIM = "198.51.100.7"


@pytest.mark.own
def test_second_header_behind_the_proxys_is_the_clients_talk(ring):
    """It neither makes the victim fail nor the liar pass as the victim."""
    postfix = ring.start(
        {"doorbell_proxy_networks": "127.0.0.2"},
        postscreen_upstream_proxy_protocol="haproxy",
        postscreen_greet_action="enforce",
    )
    header = "PROXY TCP4 %s 198.51.100.25 4000 2525\r\n"
    with postfix.connect("127.0.0.2") as client:
        client.send(header % "192.0.2.77" + header % VICTIM)
        client.line()
        client.half_close()
        client.end()
    postfix.log.wait_for(r"PREGREET \d+ after \S+ from \[192\.0\.2\.77\].*")
    postfix.log.wait_for(r"DISCONNECT \[192\.0\.2\.77\]:4000")
    assert not postfix.log.find(r"\w+ (from )?\[198\.51\.100\.7\].*")
    with postfix.connect("127.0.0.2") as client:
        client.send(header % VICTIM)
        client.expect(TEASER, GREETING)
        client.ask("QUIT")
    postfix.log.wait_for(r"PASS NEW \[198\.51\.100\.7\]:4000")
    # And now that the victim is known, its name opens no door.
    for source, text in (
        ("127.0.0.2", header % "192.0.2.77" + header % VICTIM),
        ("127.0.0.3", header % VICTIM),
    ):
        with postfix.connect(source) as client:
            client.send(text)
            assert client.line() == TEASER
            client.half_close()
            client.end()
    assert not postfix.log.find(r"PASS OLD .*")


@pytest.mark.own
def test_mapped_addresses_are_the_addresses_that_they_map(ring):
    """::ffff:a.b.c.d shares the memory and the limits of a.b.c.d, no other's."""
    postfix = ring.start(
        postscreen_upstream_proxy_protocol="haproxy",
    )
    first = "PROXY TCP4 %s 198.51.100.25 4000 2525\r\n" % VICTIM
    again = "PROXY TCP6 ::ffff:%s 2001:db8::25 4000 2525\r\n"
    with postfix.connect() as client:
        client.send(first)
        client.expect(TEASER, GREETING)
        client.ask("QUIT")
    with postfix.connect() as client:
        client.send(again % VICTIM)
        client.expect(GREETING)
        client.ask("QUIT")
    postfix.log.wait_for(r"PASS OLD \[198\.51\.100\.7\]:4000")
    with postfix.connect() as client:
        client.send(again % "198.51.100.8")
        client.expect(TEASER, GREETING)
        client.ask("QUIT")
    postfix.log.wait_for(r"PASS NEW \[198\.51\.100\.8\]:4000")


@pytest.mark.own
def test_what_one_prefix_does_is_held_against_no_other(ring):
    """A /24 that fails and fails, and its neighbours."""
    postfix = ring.start(
        {
            "doorbell_upstream_proxy_protocol": "haproxy",
            "doorbell_failure_rate_limit": "2",
            "doorbell_greet_action": "drop",
        }
    )
    header = "PROXY TCP4 %s 198.51.100.25 4000 2525\r\n"
    for host in range(1, 6):
        with postfix.connect() as client:
            client.send(header % ("192.0.2.%d" % host) + "EHLO x\r\n")
            client.end()
    for neighbour in "192.0.1.1", "192.0.3.1", "192.0.2.200":
        with postfix.connect() as client:
            client.send(header % neighbour)
            client.expect(TEASER, GREETING)
            client.ask("QUIT")
        postfix.log.wait_for(r"PASS NEW \[%s\]:4000" % re.escape(neighbour))
