# SPDX-License-Identifier: ISC
"""The first session after the deep tests goes on with the real smtpd."""

import ssl
import subprocess
import time

import pytest

import processes
from ctl import Ctl
from scripts import CONNECT, GREETING, PASS_NEW, PASS_OLD, TEASER
from waiting import until

pytestmark = pytest.mark.own

RELAYED = "RELAYED C"
DEEP = {
    "postscreen_pipelining_enable": "yes",
    "postscreen_non_smtp_command_enable": "yes",
    "postscreen_bare_newline_enable": "yes",
}


def greeted(postfix, source="127.0.0.2"):
    client = postfix.connect(source)
    client.expect(TEASER, GREETING)
    return client


def to_data(client, subject):
    assert client.ask("EHLO client.test").code == 250
    assert client.ask("MAIL FROM:<sender@client.test>").code == 250
    assert client.ask("RCPT TO:<inbox@example.test>").code == 250
    assert client.ask("DATA").code == 354
    client.send("Subject: %s\r\n\r\n" % subject)


def test_first_mail_is_delivered_in_the_first_session(ring):
    postfix = ring.start(**DEEP)
    with greeted(postfix) as client:
        client.deliver(subject="first")
        postfix.log.tells(client, CONNECT, PASS_NEW, RELAYED)
    text = postfix.wait_for_mail("first")
    assert "Received: from client.test (unknown [127.0.0.2])" in text
    with postfix.connect() as client:
        client.expect(GREETING)
        client.deliver(subject="second")
        postfix.log.tells(client, CONNECT, PASS_OLD)
    postfix.wait_for_mail("second")


def test_what_is_offered_is_what_smtpd_offers(ring):
    postfix = ring.start(smtpd_discard_ehlo_keywords="dsn, etrn", **DEEP)
    with greeted(postfix) as client:
        client.deliver(subject="one")
    with greeted(postfix, "127.0.0.3") as client:
        offered = {line[4:].split()[0] for line in client.ask("EHLO x").lines}
        assert "PIPELINING" not in offered
        assert not {"DSN", "ETRN"} & offered
        client.deliver(subject="two")
    with postfix.connect("127.0.0.3") as client:
        client.expect(GREETING)
        smtpd = {line[4:].split()[0] for line in client.ask("EHLO x").lines}
        assert offered <= smtpd


def test_smtpd_refuses_the_recipient_itself(ring):
    postfix = ring.start(**DEEP)
    with greeted(postfix) as client:
        client.ask("EHLO x")
        client.ask("MAIL FROM:<a@b.test>", "250 2.1.0 Ok")
        assert client.ask("RCPT TO:<nobody@elsewhere.test>").code == 554
        client.ask("RSET", "250 2.0.0 Ok")
        client.deliver(subject="after all")
    postfix.wait_for_mail("after all")


def test_defer_is_what_postscreen_does(ring):
    postfix = ring.start(own={"doorbell_deep_pass_action": "defer"}, **DEEP)
    with greeted(postfix) as client:
        client.ask("HELO x")
        client.ask("MAIL FROM:<a@b.test>", "250 2.1.0 Ok")
        client.ask(
            "RCPT TO:<inbox@example.test>",
            "450 4.3.2 Service currently unavailable",
        )
        client.ask("QUIT", "221 2.0.0 Bye")
    with postfix.connect() as client:
        client.expect(GREETING)
        client.deliver(subject="came back")
        postfix.log.tells(client, CONNECT, PASS_OLD)


def test_big_message(ring):
    postfix = ring.start(message_size_limit="40000000", **DEEP)
    line = b"x" * 998 + b"\r\n"
    with greeted(postfix) as client:
        to_data(client, "big")
        for _ in range(30):
            client.send(line * 1000)
        assert client.ask("\r\n.").code == 250
        client.ask("QUIT", "221 2.0.0 Bye")
    assert len(postfix.wait_for_mail("big")) > 29_000_000


def test_client_that_goes_away_in_the_middle_of_data(ring):
    postfix = ring.start(**DEEP)
    with greeted(postfix) as client:
        to_data(client, "half")
        client.send("half a message\r\n")
        client.reset()
    postfix.log.wait_for(
        r"lost connection after DATA \(\d+ bytes\) from unknown\[127\.0\.0\.2\]"
    )
    assert postfix.inbox() == []


def test_half_closed_client_hears_the_end(ring):
    postfix = ring.start(**DEEP)
    with greeted(postfix) as client:
        to_data(client, "half closed")
        client.send("text\r\n.\r\nQUIT\r\n")
        client.half_close()
        assert client.reply().code == 250
        client.expect("221 2.0.0 Bye")
        assert client.end() == b""
    postfix.wait_for_mail("half closed")


def test_smtpd_is_gone_then_back(ring):
    postfix = ring.build(**DEEP)
    postfix.without = ("smtpd",)
    postfix.log.expect(r"warning: cannot connect to service private/smtpd: .*")
    postfix.start()
    with greeted(postfix) as client:
        client.ask("HELO x")
        client.ask("MAIL FROM:<a@b.test>", "250 2.1.0 Ok")
        client.ask(
            "RCPT TO:<inbox@example.test>",
            "450 4.3.2 Service currently unavailable",
        )
        client.ask("QUIT", "221 2.0.0 Bye")
    ctl = Ctl(postfix.screener, postfix.config)
    until(lambda: "127.0.0.2" in ctl("cache", "list"), "the pass on the disk")
    postfix.without = ()
    postfix.reload()
    with postfix.connect() as client:
        client.expect(GREETING)
        client.deliver(subject="known")
        postfix.log.tells(client, CONNECT, PASS_OLD)


def certificate(postfix, level="may"):
    key = postfix.directory + "/key.pem"
    cert = postfix.directory + "/cert.pem"
    subprocess.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=mx.test"
        " -keyout".split() + [key, "-out", cert],
        check=True,
        capture_output=True,
    )
    postfix.main.update(
        smtpd_tls_security_level=level,
        smtpd_tls_cert_file=cert,
        smtpd_tls_key_file=key,
        smtpd_tls_received_header="yes",
    )


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_starttls_of_a_stranger_ends_in_smtpd(ring, version):
    postfix = ring.build(**DEEP)
    certificate(postfix)
    postfix.start()
    with greeted(postfix) as client:
        assert "250-STARTTLS" in client.ask("EHLO client.test").lines
        assert client.ask("STARTTLS").code == 220
        client.start_tls(maximum_version=getattr(ssl.TLSVersion, version))
        to_data(client, "secret")
        client.send(("x" * 70 + "\r\n") * 10)
        assert client.ask(".").code == 250
        client.ask("QUIT", "221 2.0.0 Bye")
        postfix.log.tells(client, CONNECT, RELAYED, PASS_NEW)
    shown = version.replace("_", ".")
    assert shown in postfix.wait_for_mail("secret")
    with postfix.connect() as client:
        client.expect(GREETING)
        postfix.log.tells(client, CONNECT, PASS_OLD)


def test_smtpd_that_enforces_tls_by_the_old_parameter(ring):
    postfix = ring.build(smtpd_enforce_tls="yes", **DEEP)
    certificate(postfix, level="")
    postfix.start()
    with greeted(postfix) as client:
        assert "250-STARTTLS" in client.ask("EHLO client.test").lines
        assert client.ask("MAIL FROM:<sender@client.test>").code == 530
        assert client.ask("STARTTLS").code == 220
        client.start_tls()
        to_data(client, "enforced")
        client.send(("x" * 70 + "\r\n") * 10)
        assert client.ask(".").code == 250
        client.ask("QUIT", "221 2.0.0 Bye")
        postfix.log.tells(client, CONNECT, RELAYED, PASS_NEW)
    assert "TLSv1" in postfix.wait_for_mail("enforced")


def test_smtpd_that_enforces_tls_by_its_own_line(ring):
    """Which doorbelld does not read: it learns from the first reply, and the
    client that was not told of TLS is not refused for good."""
    postfix = ring.build(postscreen_tls_security_level="encrypt", **DEEP)
    certificate(postfix, level="none")
    postfix.smtpd_options = ["smtpd_tls_security_level=encrypt"]
    postfix.start()
    with greeted(postfix) as client:
        assert "STARTTLS" not in str(client.ask("EHLO client.test").lines)
        client.ask("MAIL FROM:<sender@client.test>", "250 2.1.0 Ok")
        client.ask(
            "RCPT TO:<inbox@example.test>",
            "450 4.3.2 Service currently unavailable",
        )
    with greeted(postfix, "127.0.0.3") as client:
        assert "250-STARTTLS" in client.ask("EHLO client.test").lines
        assert client.ask("STARTTLS").code == 220
        client.start_tls()
        client.deliver(subject="by its line")
    assert "TLSv1" in postfix.wait_for_mail("by its line")


def hello_of(version):
    """A real ClientHello."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = version
    outgoing = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize(
    "begin",
    [
        lambda: b"",
        lambda: hello_of(ssl.TLSVersion.TLSv1_2),
        lambda: hello_of(ssl.TLSVersion.TLSv1_3),
    ],
    ids=["nothing", "TLSv1_2", "TLSv1_3"],
)
def test_records_without_a_handshake_earn_nothing(ring, begin):
    """Application data that nobody can decrypt, before and after whatever
    smtpd says to it."""
    postfix = ring.build(**DEEP)
    certificate(postfix)
    postfix.log.expect(r"warning: TLS library problem: .*")
    postfix.start()
    junk = b"\x17\x03\x03\x01\x00" + b"x" * 256
    with greeted(postfix) as client:
        client.ask("EHLO client.test")
        assert client.ask("STARTTLS").code == 220
        client.send(begin() + 4 * junk)
        try:
            for _ in range(50):
                client.send(junk)
                client.pause(0.01)
        except (BrokenPipeError, ConnectionResetError):
            pass
        client.end()
        postfix.log.wait_for(
            r"(lost connection after STARTTLS|SSL_accept error) from .*"
        )
        postfix.log.tells(client, CONNECT, RELAYED)
    with greeted(postfix) as client:
        client.ask("QUIT", "221 2.0.0 Bye")


def test_starttls_while_smtpd_is_gone(ring):
    postfix = ring.build(**DEEP)
    certificate(postfix)
    postfix.without = ("smtpd",)
    postfix.log.expect(r"warning: cannot connect to service private/smtpd: .*")
    postfix.start()
    with greeted(postfix) as client:
        assert "250-STARTTLS" in client.ask("EHLO client.test").lines
        client.ask(
            "STARTTLS", "454 4.7.0 TLS not available due to local problem"
        )
        client.ask("QUIT", "221 2.0.0 Bye")
        assert client.end() == b""


def test_our_tls_joined_to_smtpd_in_the_clear(ring):
    """STARTTLS is not offered, as smtpd does not, but it is had from us.
    Whoever ends it, TLS ends with a goodbye."""
    postfix = ring.build(
        postscreen_tls_security_level="may", smtpd_hard_error_limit="1", **DEEP
    )
    certificate(postfix, level="none")
    postfix.start()
    with greeted(postfix) as client:
        assert client.ask("STARTTLS").code == 220
        client.start_tls()
        client.deliver(subject="our TLS")
        postfix.log.tells(client, CONNECT, PASS_NEW, RELAYED)
    assert "TLSv1" not in postfix.wait_for_mail("our TLS")
    with greeted(postfix, "127.0.0.3") as client:
        assert client.ask("STARTTLS").code == 220
        client.start_tls()
        client.ask("EHLO client.test")
        client.ask("MAIL FROM:<sender@client.test>", "250 2.1.0 Ok")
        client.ask("RCPT TO:<inbox@example.test>", "250 2.1.5 Ok")
        client.ask("BOGUS")
        client.expect("421 4.7.0 mx.example.test Error: too many errors")
        assert client.end() == b""
    postfix.log.wait_for(
        r"DISCONNECT \[127\.0\.0\.3\]:\d+", tag="postfix/tlsproxy"
    )


@pytest.mark.load
def test_500_relayed_sessions_at_once(ring):
    """Each of 500 has an smtpd of its own and is in the middle of its mail
    before the first one ends it."""
    postfix = ring.build(
        default_process_limit="520",
        smtpd_client_connection_count_limit="0",
        own={"doorbell_relay_limit": "500"},
        **DEEP,
    )
    postfix.start()
    crowd = [
        postfix.connect("127.0.%d.%d" % (8 + n // 200, n % 200 + 1))
        for n in range(500)
    ]
    for client in crowd:
        client.expect(TEASER, GREETING)
    for client in crowd:
        client.ask("EHLO x")
        client.ask("MAIL FROM:<a@b.test>", "250 2.1.0 Ok")
        client.send("RCPT TO:<inbox@example.test>\r\n")
    for client in crowd:
        assert client.reply(timeout=60).code == 250
        client.send("DATA\r\n")
    for n, client in enumerate(crowd):
        assert client.reply(timeout=60).code == 354
        client.send("Subject: %d of 500\r\n" % n)
    assert len(postfix.pids("smtpd")) >= 500
    assert all(client.silent() for client in crowd)
    for client in crowd:
        client.send(".\r\nQUIT\r\n")
    for client in crowd:
        assert client.reply(timeout=60).code == 250
        client.expect("221 2.0.0 Bye", timeout=60)
        assert client.end(timeout=60) == b""
        client.close()
    until(lambda: len(postfix.inbox()) >= 500, "500 mails", timeout=60)
    found = [
        line
        for text in postfix.inbox()
        for line in text.splitlines()
        if line.startswith("Subject: ")
    ]
    assert sorted(found) == sorted(
        "Subject: %d of 500" % n for n in range(500)
    )


@pytest.mark.load
def test_silent_zombies_cost_no_smtpd(ring):
    """2,000 zombies that no list knows, five smtpd processes, 100 known and
    100 new clients: all 200 deliver."""
    postfix = ring.build(
        smtpd_client_connection_count_limit="0",
        postscreen_command_time_limit="300s",
        own={"doorbell_late_handoff": "yes"},
    )
    postfix.smtpd_maxproc = "5"
    postfix.log.expect(r"warning: (service \"smtpd\"|to avoid|see http).*")
    postfix.start()
    known = ["127.0.20.%d" % n for n in range(1, 101)]
    met = [postfix.connect(source) for source in known]
    for client in met:
        client.expect(TEASER, GREETING)
        client.close()
    zombies = [
        postfix.connect("127.0.%d.%d" % (30 + n // 200, n % 200 + 1))
        for n in range(2000)
    ]
    for n, source in enumerate(known):
        with postfix.connect(source) as client:
            client.expect(GREETING)
            client.deliver(subject="known %d" % n)
    fresh = [postfix.connect("127.0.21.%d" % n) for n in range(1, 101)]
    for n, client in enumerate(fresh):
        client.expect(TEASER, GREETING)
        client.deliver(subject="new %d" % n)
    until(lambda: len(postfix.inbox()) == 200, "200 mails", timeout=60)
    for zombie in zombies:
        zombie.close()


@pytest.mark.load
def test_smtpd_that_falls_behind_switches_it_on(ring):
    """300 polite zombies that no list knows fill all five smtpd processes.
    Nothing but their wait tells of it, and nothing but the default of
    doorbell_late_handoff helps: 100 known and 100 new clients deliver.

    Those that smtpd got before that are smtpd's; they go with its time limit,
    which is 3 s here in place of 300."""
    postfix = ring.build(
        smtpd_client_connection_count_limit="0",
        smtpd_timeout="3s",
        postscreen_pre_queue_limit="10000",
        postscreen_command_time_limit="300s",
    )
    postfix.log.expect(r"warning: (service \"smtpd\"|to avoid|see http).*")
    postfix.start()
    known = ["127.0.20.%d" % n for n in range(1, 101)]
    met = [postfix.connect(source) for source in known]
    for client in met:
        client.expect(TEASER, GREETING)
        client.close()
    postfix.smtpd_maxproc = "5"
    first = postfix.screener_pid()
    postfix.reload()
    until(lambda: not processes.is_alive(first), "the end of the first")
    mark = postfix.log.mark()
    zombies = [
        postfix.connect("127.0.%d.%d" % (30 + n // 200, n % 200 + 1))
        for n in range(300)
    ]
    postfix.log.wait_for(
        r"entering STRESS mode with \d+ connections", after=mark
    )
    for n, source in enumerate(known):
        with postfix.connect(source) as client:
            client.expect(GREETING)
            client.deliver(subject="known %d" % n)
    fresh = [postfix.connect("127.0.21.%d" % n) for n in range(1, 101)]
    for n, client in enumerate(fresh):
        client.expect(TEASER, GREETING)
        client.deliver(subject="new %d" % n)
    until(lambda: len(postfix.inbox()) == 200, "200 mails", timeout=60)
    cost = postfix.log.find(r"connect from unknown\[127\.0\.3[01]\..*", mark)
    assert 5 <= len(cost) <= 40, "zombies that got an smtpd"
    for zombie in zombies:
        zombie.close()
