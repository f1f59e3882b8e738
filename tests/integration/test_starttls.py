# SPDX-License-Identifier: ISC
"""STARTTLS in the dialogue with refused clients."""

import os
import re
import ssl
import subprocess

import pytest

from scripts import (
    CONNECT,
    DISCONNECT,
    GREETING,
    PASS_NEW,
    greeted,
    noqueue,
    refused,
)
from waiting import GENEROUS_S, until

DENIED = "DENYLISTED C"
REFUSAL = "550 5.3.2 Service currently unavailable"
READY = "220 2.0.0 Ready to start TLS"
NEED_TLS = "530 5.7.0 Must issue a STARTTLS command first"
OFF = "502 5.5.1 Error: command not implemented"
BROKEN = "454 4.7.0 TLS not available due to local problem"
# What tlsproxy(8) says besides.
LIBRARY = r"warning: TLS library problem: .*"


def make_key(postfix, name, kind="rsa:2048"):
    """A key and its certificate, as NAME.key and NAME.pem."""
    path = os.path.join(postfix.directory, name)
    words = ["-newkey", kind]
    if kind == "ec":
        words += ["-pkeyopt", "ec_paramgen_curve:P-256"]
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj"]
        + ["/CN=mx.example.test", "-keyout", path + ".key"]
        + ["-out", path + ".pem"]
        + words,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=GENEROUS_S,
    )
    os.chmod(path + ".key", 0o600)
    return path


def prepared(ring, **main):
    """Everyone is refused, nobody waits, and there are keys; not started."""
    postfix = ring.build(
        **dict(
            {
                "postscreen_access_list": "static:reject",
                "postscreen_denylist_action": "enforce",
                "postscreen_greet_banner": "",
                "postscreen_non_smtp_command_action": "ignore",
                "postscreen_pipelining_action": "ignore",
                "postscreen_command_count_limit": "100",
                "smtpd_tls_security_level": "may",
            },
            **main
        )
    )
    path = make_key(postfix, "usual")
    postfix.main.setdefault("smtpd_tls_cert_file", path + ".pem")
    postfix.main.setdefault("smtpd_tls_key_file", path + ".key")
    return postfix


def offers(client):
    return any(
        line[4:] == "STARTTLS" for line in client.ask("EHLO bot.test").lines
    )


def starts(client, **rules):
    """From the greeting to the end of the handshake."""
    client.expect(GREETING)
    assert offers(client)
    client.ask("STARTTLS", READY)
    client.start_tls(**rules)


def tells_tls(postfix, client, *story):
    """The lines under tlsproxy's name."""

    def lines():
        postfix.log.refresh()
        return [
            line.text.replace(client.me, "C")
            for line in postfix.log.lines
            if line.tag == "postfix/tlsproxy" and client.me in line.text
            and not line.text.startswith("warning: ")
        ]

    until(lambda: lines() == list(story), lambda: "%r" % lines())


def test_whole_dialogue(ring):
    postfix = prepared(ring).start()
    with postfix.connect() as client:
        starts(client)
        assert not offers(client)
        refused(client, REFUSAL)
    postfix.log.tells(client, CONNECT, DENIED, noqueue(REFUSAL), DISCONNECT)
    tells_tls(postfix, client, "CONNECT from C", DISCONNECT)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_replies_in_tls(ring, version):
    postfix = prepared(ring).start()
    with postfix.connect() as client:
        client.expect(GREETING)
        client.ask("MAIL FROM:<a@bot.test>", "250 2.1.0 Ok")
        client.ask("STARTTLS", READY)
        client.start_tls(
            maximum_version=getattr(ssl.TLSVersion, version),
        )
        assert client.socket.version() == version.replace("_", ".")
        client.ask("RCPT TO:<b@d.test>", "503 5.5.1 Error: need MAIL command")
        client.ask("STARTTLS", "554 5.5.1 Error: TLS already active")
        client.ask("NOOP", "250 2.0.0 Ok")
        client.ask("DATA", "503 5.5.1 Error: need RCPT command")
        assert client.end() == b""


def test_plaintext_behind_starttls_is_thrown_away(ring):
    """CVE-2011-0411."""
    postfix = prepared(ring).start()
    with postfix.connect() as client:
        client.expect(GREETING)
        client.send(
            "STARTTLS\r\nEHLO evil.test\r\nMAIL FROM:<a@evil.test>\r\n"
            "RCPT TO:<b@d.test>\r\n"
        )
        client.expect(READY)
        client.start_tls()
        client.ask("RCPT TO:<b@d.test>", "503 5.5.1 Error: need MAIL command")
        client.ask("QUIT", "221 2.0.0 Bye")
    tells_tls(postfix, client, "CONNECT from C", DISCONNECT)
    assert not [t for t in postfix.log.of(client) if "NOQUEUE" in t]


@pytest.mark.parametrize(
    "junk", [b"EHLO x\r\nEHLO y\r\n", b"\x16\x03\x01\x00\x05\xff\xff\xff\xff\xff"]
)
def test_junk_in_place_of_a_handshake(ring, screener, junk):
    postfix = prepared(ring).start()
    postfix.log.expect(LIBRARY)
    with postfix.connect() as client:
        client.expect(GREETING)
        client.ask("STARTTLS", READY)
        client.send(junk)
        client.end()
    postfix.log.tells(
        client,
        CONNECT,
        DENIED,
        screener.hangup("after"),
        DISCONNECT,
    )
    tells_tls(
        postfix,
        client,
        "CONNECT from C",
        "TLS handshake failed for service=smtpd peer=C",
        DISCONNECT,
    )


def test_handshake_has_a_deadline(ring, screener):
    postfix = prepared(ring, postscreen_command_time_limit="2s").start()
    postfix.log.expect(r"warning: ciphertext read/write timeout for .*")
    with postfix.connect() as client:
        client.expect(GREETING)
        client.ask("STARTTLS", READY)
        client.send(b"\x16\x03\x01\x02\x00\x01")
        assert client.end() == b"", "something was said in the clear"
        assert client.age() >= 2 - screener.inexact
    postfix.log.tells(
        client,
        CONNECT,
        DENIED,
        "COMMAND TIME LIMIT from C after STARTTLS",
        DISCONNECT,
    )
    tells_tls(
        postfix,
        client,
        "CONNECT from C",
        "TLS handshake failed for service=smtpd peer=C",
        DISCONNECT,
    )


def test_time_limit_is_told_in_tls(ring):
    postfix = prepared(ring, postscreen_command_time_limit="2s").start()
    with postfix.connect() as client:
        starts(client)
        client.expect("421 4.4.2 mx.example.test Error: timeout exceeded")
        assert client.end() == b""


def test_those_who_stop_hold_up_nobody(ring):
    postfix = prepared(
        ring, postscreen_client_connection_count_limit="100"
    ).start()
    stopped = []
    for n in range(40):
        client = postfix.connect()
        stopped.append(client)
        client.expect(GREETING)
        client.ask("STARTTLS", READY)
        client.send(b"\x16\x03\x01\x02\x00\x01"[: n % 7])
    with postfix.connect() as client:
        starts(client)
        refused(client, REFUSAL)
    for client in stopped:
        client.close()


@pytest.mark.parametrize(
    "main",
    [
        {"smtpd_tls_security_level": "encrypt"},
        {"postscreen_tls_security_level": "encrypt"},
        {"smtpd_tls_security_level": "", "smtpd_enforce_tls": "yes"},
        pytest.param(
            {"smtpd_tls_security_level": "", "postscreen_enforce_tls": "yes"},
            marks=pytest.mark.own,  # tlsproxy(8) asks for smtpd's settings
        ),
    ],
    ids=["smtpd", "postscreen", "old-smtpd", "old-postscreen"],
)
def test_tls_is_required(ring, main):
    postfix = prepared(ring, **main).start()
    with postfix.connect() as client:
        client.expect(GREETING)
        assert offers(client)
        for command in (
            "MAIL FROM:<a@b.test>",
            "RCPT TO:<a@b.test>",
            "DATA",
            "BDAT 1",
            "RSET",
            "VRFY",
            "ETRN d.test",
        ):
            client.ask(command, NEED_TLS)
        client.ask("NOOP", "250 2.0.0 Ok")
        client.ask("HELP", "502 5.5.2 Error: command not recognized")
        client.ask("HELO a", "250 mx.example.test")
        client.ask("STARTTLS", READY)
        client.start_tls()
        refused(client, REFUSAL)


@pytest.mark.parametrize(
    "main,offered",
    [
        ({"smtpd_tls_security_level": "none"}, False),
        ({"postscreen_tls_security_level": "none"}, False),
        ({"smtpd_tls_security_level": ""}, False),
        ({"smtpd_tls_security_level": "", "smtpd_use_tls": "yes"}, True),
        pytest.param(
            {"smtpd_tls_security_level": "", "postscreen_use_tls": "yes"},
            True,
            marks=pytest.mark.own,
        ),
        (
            {"smtpd_tls_security_level": "none", "smtpd_use_tls": "yes"},
            False,
        ),
        ({"postscreen_discard_ehlo_keywords": "starttls"}, False),
    ],
)
def test_whether_it_is_offered(ring, main, offered):
    postfix = prepared(ring, **main).start()
    with postfix.connect() as client:
        client.expect(GREETING)
        assert offers(client) == offered
        client.ask("STARTTLS", READY if offered else OFF)


@pytest.mark.parametrize(
    "main,rules,version",
    [
        ({"smtpd_tls_protocols": "<=TLSv1.2"}, {}, "TLSv1.2"),
        ({"smtpd_tls_protocols": "!TLSv1.3"}, {}, "TLSv1.2"),
        ({"smtpd_tls_mandatory_protocols": "!TLSv1.3"}, {}, "TLSv1.3"),
        (
            {
                "smtpd_tls_mandatory_protocols": "!TLSv1.3",
                "smtpd_tls_security_level": "encrypt",
            },
            {},
            "TLSv1.2",
        ),
        (
            {"smtpd_tls_protocols": ">=TLSv1.3"},
            {"maximum_version": ssl.TLSVersion.TLSv1_2},
            None,
        ),
        (
            {"smtpd_tls_exclude_ciphers": "aRSA"},
            {"maximum_version": ssl.TLSVersion.TLSv1_2},
            None,
        ),
        (
            {"smtpd_tls_ciphers": "null"},
            {"maximum_version": ssl.TLSVersion.TLSv1_2},
            None,
        ),
        (
            {
                "smtpd_tls_mandatory_ciphers": "null",
                "smtpd_tls_security_level": "encrypt",
            },
            {"maximum_version": ssl.TLSVersion.TLSv1_2},
            None,
        ),
        ({"tlsproxy_tls_protocols": "<=TLSv1.2"}, {}, "TLSv1.2"),
        (
            {
                "smtpd_tls_protocols": "<=TLSv1.2",
                "tlsproxy_tls_protocols": ">=TLSv1",
            },
            {},
            "TLSv1.3",
        ),
        (
            {
                "tlsproxy_tls_mandatory_protocols": "!TLSv1.3",
                "smtpd_tls_security_level": "encrypt",
            },
            {},
            "TLSv1.2",
        ),
        (
            {"tlsproxy_tls_exclude_ciphers": "aRSA"},
            {"maximum_version": ssl.TLSVersion.TLSv1_2},
            None,
        ),
        (
            {"tlsproxy_tls_ciphers": "null"},
            {"maximum_version": ssl.TLSVersion.TLSv1_2},
            None,
        ),
        (
            {
                "tlsproxy_tls_mandatory_ciphers": "null",
                "smtpd_tls_security_level": "encrypt",
            },
            {"maximum_version": ssl.TLSVersion.TLSv1_2},
            None,
        ),
        (
            {
                "smtpd_tls_mandatory_exclude_ciphers": "aRSA",
                "smtpd_tls_security_level": "encrypt",
            },
            {"maximum_version": ssl.TLSVersion.TLSv1_2},
            None,
        ),
        (
            {"tlsproxy_tls_mandatory_exclude_ciphers": "aRSA"},
            {"maximum_version": ssl.TLSVersion.TLSv1_2},
            "TLSv1.2",
        ),
    ],
)
def test_protocols_and_ciphers(ring, main, rules, version):
    postfix = prepared(ring, **main).start()
    postfix.log.expect(LIBRARY)
    with postfix.connect() as client:
        try:
            starts(client, **rules)
            assert client.socket.version() == version
        except ssl.SSLError:
            assert version is None


def test_chain_files(ring):
    """Keys of both kinds; the single certificate is not read."""
    postfix = prepared(ring, smtpd_tls_cert_file="/absent")
    postfix.log.expect(r"warning: Both tlsproxy_tls_chain_files and .*")
    rsa = make_key(postfix, "one")
    ec = make_key(postfix, "two", "ec")
    postfix.main["smtpd_tls_chain_files"] = "%s.key, %s.pem %s.key %s.pem" % (
        rsa,
        rsa,
        ec,
        ec,
    )
    postfix.start()
    with postfix.connect() as client:
        starts(client, maximum_version=ssl.TLSVersion.TLSv1_2)
        assert "ECDSA" in client.socket.cipher()[0]


@pytest.mark.parametrize("owner", ["smtpd", "tlsproxy"])
def test_two_pairs(ring, owner):
    """An ECDSA key besides the usual one; clients have the choice. The key's
    file defaults to the certificate's."""
    postfix = prepared(ring)
    path = make_key(postfix, "two", "ec")
    both = postfix.file(
        "both.pem", open(path + ".key").read() + open(path + ".pem").read()
    )
    postfix.main["smtpd_tls_eccert_file"] = both
    if owner == "tlsproxy":
        postfix.main["smtpd_tls_eccert_file"] = "/absent"
        postfix.main["tlsproxy_tls_eccert_file"] = path + ".pem"
        postfix.main["tlsproxy_tls_eckey_file"] = path + ".key"
    postfix.start()
    for kind in ("ECDSA", "RSA"):
        with postfix.connect() as client:
            client.expect(GREETING)
            client.ask("STARTTLS", READY)
            client.start_tls(
                maximum_version=ssl.TLSVersion.TLSv1_2, ciphers="a" + kind
            )
            assert kind in client.socket.cipher()[0]


def test_keys_of_tlsproxy_go_before_those_of_smtpd(ring):
    postfix = prepared(
        ring, smtpd_tls_cert_file="/absent", smtpd_tls_key_file="/absent"
    )
    path = make_key(postfix, "own", "ec")
    postfix.main["tlsproxy_tls_cert_file"] = path + ".pem"
    postfix.main["tlsproxy_tls_key_file"] = path + ".key"
    postfix.start()
    with postfix.connect() as client:
        starts(client, maximum_version=ssl.TLSVersion.TLSv1_2)
        assert "ECDSA" in client.socket.cipher()[0]


@pytest.mark.own
@pytest.mark.parametrize(
    "main,why",
    [
        (
            {"smtpd_tls_cert_file": "/absent"},
            "/absent: No such file or directory",
        ),
        (
            {"smtpd_tls_cert_file": "", "smtpd_tls_key_file": ""},
            "no certificate is configured",
        ),
        (
            {"smtpd_tls_CAfile": "/absent"},
            "/absent: .*",
        ),
        (
            {"smtpd_tls_protocols": "TLSv7"},
            'unknown TLS protocol "TLSv7"',
        ),
        (
            {"smtpd_tls_ciphers": "good"},
            'unknown TLS cipher grade "good"',
        ),
    ],
    ids=["absent", "none", "ca", "protocol", "grade"],
)
def test_unusable_settings_turn_it_off(ring, main, why):
    postfix = prepared(ring, **main).start()
    postfix.log.expect("warning: STARTTLS: not offered: " + why)
    with postfix.connect() as client:
        client.expect(GREETING)
        assert not offers(client)
        client.ask("STARTTLS", BROKEN)
        client.ask("MAIL FROM:<a@b.test>", "250 2.1.0 Ok")
    postfix.log.wait_for("warning: STARTTLS: not offered: " + why)


def test_client_that_passes_has_tls_with_smtpd(ring):
    postfix = ring.build(smtpd_tls_security_level="may")
    path = make_key(postfix, "usual")
    postfix.main["smtpd_tls_cert_file"] = path + ".pem"
    postfix.main["smtpd_tls_key_file"] = path + ".key"
    postfix.start()
    with postfix.connect() as client:
        greeted(client)
        assert offers(client)
        client.ask("STARTTLS", READY)
        client.start_tls()
        client.deliver()
    postfix.log.tells(client, CONNECT, PASS_NEW)
    assert "with ESMTPS" in postfix.wait_for_mail()


def certificate(instance):
    with instance.connect() as client:
        starts(client)
        found = client.socket.getpeercert(True)
        client.ask("QUIT", "221 2.0.0 Bye")
        return found


def test_reload_reads_the_keys_again(ring):
    postfix = prepared(ring).start()
    with postfix.connect() as client:
        starts(client)
        old = client.socket.getpeercert(True)
        make_key(postfix, "usual")
        postfix.reload()
        new = until(
            lambda: [c for c in [certificate(postfix)] if c != old],
            "another certificate",
        )[0]
        assert new != old
        refused(client, REFUSAL)


def test_in_a_chroot(ring):
    postfix = prepared(ring)
    postfix.chroot = "y"
    postfix.start()
    with postfix.connect() as client:
        starts(client)
        refused(client, REFUSAL)


@pytest.mark.standalone
class TestStandalone:
    def bell(self, ring):
        postfix = ring.start()
        bell = ring.standalone(
            postfix,
            doorbell_access_list="static:reject",
            doorbell_denylist_action="enforce",
            doorbell_greet_banner="",
            doorbell_tls_security_level="may",
        )
        path = make_key(postfix, "usual")
        bell.main["doorbell_tls_cert_file"] = path + ".pem"
        bell.main["doorbell_tls_key_file"] = path + ".key"
        bell.start()
        return postfix, bell, path

    def test_own_settings(self, ring):
        _, bell, _ = self.bell(ring)
        with bell.connect() as client:
            starts(client)
            refused(client, REFUSAL)
        bell.log.tells(
            client,
            CONNECT,
            DENIED,
            "CONNECT from C",
            noqueue(REFUSAL),
            DISCONNECT,
            DISCONNECT,
        )

    def test_keys_that_cannot_be_read_again_stay(self, ring):
        postfix, bell, path = self.bell(ring)
        old = certificate(bell)
        make_key(postfix, "usual")
        trouble = (
            r"warning: STARTTLS: the old keys stay in force: %s.key: "
            r"Permission denied" % re.escape(path)
        )
        bell.log.expect(trouble)
        bell.hangup()
        bell.log.wait_for(trouble)
        bell.log.wait_for("configuration reloaded")
        assert certificate(bell) == old
        os.chmod(path + ".key", 0o644)
        mark = bell.log.mark()
        bell.hangup()
        bell.log.wait_for("configuration reloaded", after=mark)
        assert certificate(bell) != old

    def test_check_says_what_is_wrong(self, ring):
        postfix, bell, path = self.bell(ring)
        bell.main["doorbell_tls_key_file"] = path + ".pem"
        bell.configure()
        done = subprocess.run(
            [bell.postfix.screener.path, "-t", "-c", bell.file],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=GENEROUS_S,
        )
        assert done.returncode == 1
        assert (
            "STARTTLS: error: not offered: %s.pem: no private key" % path
            in done.stdout.decode()
        )
