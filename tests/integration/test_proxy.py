# SPDX-License-Identifier: ISC
"""A proxy in front announces its clients, well or badly."""

import re
import socket
import struct

import pytest

import haproxy
from scripts import CONNECT, DISCONNECT, GREETING, PASS_NEW, PASS_OLD, TEASER

REFUSAL = "421 4.3.2 No system resources"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 198.51.100.7 198.51.100.25 4000 2525\r\n"


def binary(addresses=b"", command=0x21, family=0x11, size=None, more=b""):
    """A header of version 2."""
    rest = addresses + more
    return (
        SIGNATURE
        + struct.pack(
            "!BBH", command, family, len(rest) if size is None else size
        )
        + rest
    )


def ends(client, server):
    """Both addresses and ports 4000 and 2525, as version 2 has them."""
    family = socket.AF_INET6 if ":" in client else socket.AF_INET
    return (
        socket.inet_pton(family, client)
        + socket.inet_pton(family, server)
        + struct.pack("!HH", 4000, 2525)
    )


IPV4 = ends("198.51.100.7", "198.51.100.25")
IPV6 = ends("2001:db8::7", "2001:db8::25")
LOCAL = binary(command=0x20, family=0)
TLVS = b"\x04\0\0\x02\0\x08mx.proxy"


def start(ring, own=None, **main):
    main.setdefault("postscreen_upstream_proxy_protocol", "haproxy")
    return ring.start(own, **main)


def announce(
    postfix, header, client="198.51.100.7", server="198.51.100.25", **where
):
    """A client that comes through a proxy."""
    made = postfix.connect(**where)
    made.send(header)
    made.me = "[%s]:4000" % client
    made.server = "[%s]:2525" % server
    return made


@pytest.mark.parametrize(
    "header,client,server",
    [
        (V1, "198.51.100.7", "198.51.100.25"),
        (
            b"PROXY TCP6 2001:DB8:0::7 2001:db8::25 4000 2525\r\n",
            "2001:db8::7",
            "2001:db8::25",
        ),
        (
            b"PROXY TCP6 ::ffff:198.51.100.7 2001:db8::25 4000 2525\r\n",
            "198.51.100.7",
            "2001:db8::25",
        ),
        (binary(IPV4), "198.51.100.7", "198.51.100.25"),
        (binary(IPV4, more=TLVS), "198.51.100.7", "198.51.100.25"),
        (
            binary(IPV6, family=0x21, more=TLVS),
            "2001:db8::7",
            "2001:db8::25",
        ),
        (
            binary(
                ends("::ffff:198.51.100.7", "::ffff:198.51.100.25"),
                family=0x21,
            ),
            "198.51.100.7",
            "198.51.100.25",
        ),
    ],
    ids=["v1", "v1-6", "v1-mapped", "v2", "v2-tlv", "v2-6", "v2-mapped"],
)
def test_announced_client_is_tested_remembered_and_told_to_smtpd(
    ring, header, client, server
):
    postfix = start(ring)
    for verdict in PASS_NEW, PASS_OLD:
        mark = postfix.log.mark()
        with announce(postfix, header, client, server) as c:
            if verdict == PASS_NEW:
                assert c.line() == TEASER
            c.expect(GREETING)
            c.deliver(subject=verdict)
        postfix.log.wait_for(
            r"disconnect from unknown\[%s\].*" % client, after=mark
        )
        text = postfix.wait_for_mail(verdict)
        where = "IPv6:" + client if ":" in client else client
        assert "Received: from client.test (unknown [%s])" % where in text
    # Both visits had the same ends.
    postfix.log.tells(c, CONNECT, PASS_NEW, CONNECT, PASS_OLD)


def test_talk_behind_the_header_is_early_and_reaches_smtpd(ring):
    postfix = start(ring, postscreen_greet_action="ignore")
    with announce(postfix, V1 + b"EHLO early\r\n") as client:
        client.expect(TEASER, GREETING)
        assert "250-PIPELINING" in client.reply().lines
    postfix.log.tells(
        client, CONNECT, ring.screener.pregreet((12, r"EHLO early\r\n"))
    )


def test_lists_and_limits_are_about_the_announced_client(ring):
    postfix = start(
        ring,
        postscreen_access_list="cidr:{{198.51.100.66 reject}}",
        postscreen_denylist_action="drop",
        postscreen_client_connection_count_limit="1",
    )
    with announce(
        postfix,
        V1.replace(b"100.7", b"100.66"),
        "198.51.100.66",
    ) as denied:
        denied.expect("521 5.3.2 Service currently unavailable")
    postfix.log.tells(denied, CONNECT, "DENYLISTED C", DISCONNECT)
    with announce(postfix, V1) as first:
        assert first.line() == TEASER
        with announce(
            postfix, V1.replace(b"100.7", b"100.8"), "198.51.100.8"
        ) as other:
            assert other.line() == TEASER
        with announce(postfix, V1.replace(b"4000", b"4001")) as second:
            second.me = second.me.replace("4000", "4001")
            second.expect("421 4.7.0 Error: too many connections")
    postfix.log.tells(
        second,
        CONNECT,
        "NOQUEUE: reject: CONNECT from C: too many connections",
        DISCONNECT,
    )


BAD = [
    (b"EHLO x\r\n", r"short protocol header: EHLO x\r\n"),
    (
        b"EHLO client.example\r\n",
        r"unrecognized protocol header: EHLO client.example\r\n",
    ),
    (V1[:-2], "missing protocol header terminator: " + V1[:-2].decode()),
    (
        V1.replace(b"TCP4", b"TCP5"),
        "bad or missing protocol type: PROXY TCP5 198.51.100.7 "
        r"198.51.100.25 4000 2525\r\n",
    ),
    (
        b"PROXY TCP4 198.51.100.7\r\n",
        r"bad or missing server address: PROXY TCP4 198.51.100.7\r\n",
    ),
    (
        b"PROXY TCP4 2001:db8::7 198.51.100.25 4000 2525\r\n",
        "bad or missing client address: PROXY TCP4 2001:db8::7 "
        r"198.51.100.25 4000 2525\r\n",
    ),
    (
        V1.replace(b"4000", b"04000"),
        "bad or missing client port: PROXY TCP4 198.51.100.7 198.51.100.25 "
        r"04000 2525\r\n",
    ),
    (
        V1.replace(b"2525", b"65536"),
        "bad or missing server port: PROXY TCP4 198.51.100.7 198.51.100.25 "
        r"4000 65536\r\n",
    ),
    (
        binary(size=4),
        "short version 2 protocol header: "
        r"\r\n\r\n\000\r\nQUIT\n!\021\000\004",
    ),
    (
        binary(family=0),
        r"unsupported network protocol: \r\n\r\n\000\r\nQUIT\n!\000\000\000",
    ),
    (
        binary(b"\a\b\t\\"),
        r"short address field: \r\n\r\n\000\r\nQUIT\n!\021\000\004\a\b\t\\",
    ),
    (
        binary(command=0x2F),
        r"bad command in proxy header: \r\n\r\n\000\r\nQUIT\n/\021\000\000",
    ),
    (
        binary(command=0x11),
        "unrecognized protocol version: "
        r"\r\n\r\n\000\r\nQUIT\n\021\021\000\000",
    ),
]


def trouble(postfix, text, client):
    """The line about a peer; only doorbelld names it."""
    line = "warning: haproxy read: " + text
    if postfix.screener.is_doorbelld:
        line += " from " + client.me
    postfix.log.expect(re.escape(line))
    return line


def test_bad_headers(ring):
    """One line each, the reason in the same words, and nothing else."""
    postfix = start(ring)
    for header, text in BAD:
        mark = postfix.log.mark()
        with postfix.connect() as client:
            client.send(header)
            client.expect(REFUSAL)
            assert client.end() == b""
            line = trouble(postfix, text, client)
        postfix.log.wait_for(re.escape(line), after=mark)
    assert postfix.log.find(r"(CONNECT|DISCONNECT|HANGUP) .*") == []


def test_too_long_a_header(ring):
    """536 bytes are looked at; the line is cut, but names the peer."""
    postfix = start(ring)
    with postfix.connect() as client:
        client.send(binary(IPV6, family=0x21, more=b"\xff" * 485))
        client.expect(REFUSAL)
    postfix.log.expect("warning: haproxy read: short version 2 .*")
    found = postfix.log.wait_for(
        r"warning: haproxy read: short version 2 protocol header: (.*)"
    )
    if ring.screener.is_doorbelld:
        assert found[1].endswith(" from " + client.me)
    with announce(
        postfix,
        binary(IPV6, family=0x21, more=b"\xff" * 484),
        "2001:db8::7",
        "2001:db8::25",
    ) as client:
        assert client.line() == TEASER


def test_proxy_that_leaves(ring):
    postfix = start(ring)
    with postfix.connect() as client:
        client.half_close()
        client.expect(REFUSAL)
        line = trouble(postfix, "EOF", client)
    postfix.log.wait_for(re.escape(line))


def test_proxy_that_is_silent(ring):
    postfix = start(ring, postscreen_upstream_proxy_timeout="2s")
    with postfix.connect() as client:
        client.expect(REFUSAL)
        assert 2 - ring.screener.inexact - 0.05 <= client.age() < 6
        line = trouble(postfix, "time limit exceeded", client)
    postfix.log.wait_for(re.escape(line))
    assert postfix.log.find(r"(CONNECT|DISCONNECT|HANGUP) .*") == []


@pytest.mark.parametrize(
    "header",
    [
        LOCAL,
        binary(IPV4, command=0x20),
        pytest.param(b"PROXY UNKNOWN\r\n", marks=pytest.mark.own),
        pytest.param(
            b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", marks=pytest.mark.own
        ),
    ],
    ids=["local", "local-with-addresses", "unknown", "unknown-with-words"],
)
def test_connection_of_the_proxy_itself(ring, header):
    """It has its own addresses, and may send mail as any client."""
    postfix = start(ring)
    with postfix.connect() as client:
        client.send(header)
        client.expect(TEASER, GREETING)
        client.deliver()
    postfix.log.tells(client, CONNECT, PASS_NEW)
    text = postfix.wait_for_mail()
    assert "Received: from client.test (unknown [127.0.0.2])" in text


def nothing_else_is_told(postfix):
    """Another client comes and goes; the log has its story, and no other."""
    with announce(postfix, V1) as other:
        other.reply()
        assert other.ask("QUIT").code == 221
        other.end()
    postfix.log.wait_for(r"disconnect from unknown\[198\.51\.100\.7\].*")
    told = postfix.log.find(r".*(CONNECT|connect from|haproxy).*")
    assert len(told) == 3
    assert all("[198.51.100.7]" in line[0] for line in told)


@pytest.mark.own
@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
@pytest.mark.parametrize("access", ["", "static:permit"])
@pytest.mark.parametrize(
    "header", [LOCAL, b"PROXY UNKNOWN\r\n"], ids=["local", "unknown"]
)
def test_health_check_makes_no_noise(ring, header, access, how):
    """Not here, and not in smtpd, which it never reaches."""
    postfix = start(ring, postscreen_access_list=access)
    with postfix.connect() as client:
        client.send(header)
        getattr(client, how)()
        if how == "half_close":
            client.end()
    nothing_else_is_told(postfix)


@pytest.mark.own
@pytest.mark.parametrize("how", ["close", "reset"])
def test_health_check_of_version_1_makes_no_noise(ring, how):
    """haproxy announces its own connection with its own ends."""
    postfix = start(ring, postscreen_access_list="static:permit")
    with postfix.connect() as client:
        header = "PROXY TCP4 %s 127.0.0.1 %d %d\r\n"
        client.send(header % (client.address, client.port, postfix.port))
        getattr(client, how)()
    nothing_else_is_told(postfix)


@pytest.mark.own
def test_health_check_that_reads_the_greeting_makes_no_noise(ring):
    postfix = start(ring)
    with postfix.connect() as client:
        client.send(LOCAL)
        assert client.line() == TEASER
    with announce(postfix, V1) as client:
        assert client.line() == TEASER
    postfix.log.tells(
        client, CONNECT, ring.screener.hangup("before"), DISCONNECT
    )
    assert len(postfix.log.find(r"(CONNECT|HANGUP|DISCONNECT) .*")) == 3


@pytest.mark.own
def test_only_the_proxies_are_believed(ring):
    """Who is not one neither passes nor fails as somebody else."""
    postfix = start(
        ring,
        {"doorbell_proxy_networks": "127.0.0.2, 127.0.1.0/24"},
        postscreen_access_list="permit_mynetworks",
        postscreen_greet_action="enforce",
    )
    trusted = b"PROXY TCP4 192.0.2.1 198.51.100.25 4000 2525\r\n"
    for header in trusted, binary(IPV4), V1:
        with postfix.connect("127.0.0.3") as liar:
            liar.send(header)
            assert liar.line() == TEASER
            # Its lines are commands, and it is refused.
            liar.half_close()
            liar.end()
        postfix.log.wait_for(
            r"PREGREET %d after \S+ from %s: .*"
            % (len(header), re.escape(liar.me))
        )
    assert postfix.log.find(r".*(192\.0\.2\.1|198\.51\.100\.7)\].*") == []
    with postfix.connect("127.0.0.3") as plain:
        plain.expect(TEASER, GREETING)
    postfix.log.tells(plain, CONNECT, PASS_NEW)
    for source in "127.0.0.2", "127.0.1.9":
        with announce(postfix, trusted, "192.0.2.1", source=source) as client:
            client.expect(GREETING)
    with announce(postfix, V1) as client:
        client.expect(TEASER, GREETING)
    postfix.log.tells(client, CONNECT, PASS_NEW)


@pytest.mark.own
def test_addresses_that_smtpd_dies_of_do_not_reach_it(ring):
    """postscreen passes 0.1.2.3 on: smtpd is throttled for a minute then."""
    postfix = start(ring, postscreen_access_list="static:permit")
    postfix.log.expect(r"warning: haproxy read: .*")
    for header in (
        binary(ends("0.1.2.3", "198.51.100.25")),
        binary(ends("198.51.100.7", "0.1.2.3")),
        binary(ends("::0.1.2.3", "2001:db8::25"), family=0x21),
        V1.replace(b"198.51.100.7", b"0.1.2.3"),
    ):
        with announce(postfix, header) as client:
            client.expect(REFUSAL)
    for address in "0.0.0.0", "255.255.255.255", "::", "::7.1.2.3", "fe80::7":
        other = "2001:db8::25" if ":" in address else "198.51.100.25"
        family = 0x21 if ":" in address else 0x11
        header = binary(ends(address, other), family=family)
        with announce(postfix, header, address, other) as client:
            client.expect(GREETING)
            assert client.ask("QUIT").code == 221


@pytest.mark.own
@pytest.mark.skipif(not haproxy.PROGRAM, reason="no haproxy here")
@pytest.mark.parametrize("words", ["send-proxy", "send-proxy-v2"])
def test_with_a_real_haproxy(ring, tmp_path, words):
    """Its client is served, and its health checks make no noise."""
    postfix = start(
        ring,
        {"doorbell_proxy_networks": "127.0.0.1"},
        postscreen_access_list="cidr:{{127.0.0.1 permit}}",
    )
    with haproxy.Haproxy(str(tmp_path), ring.ports, postfix, words) as proxy:
        with proxy.connect("127.0.0.9") as client:
            client.expect(TEASER, GREETING)
            client.deliver()
            client.server = "[127.0.0.1]:%d" % proxy.port
        postfix.log.tells(client, CONNECT, PASS_NEW)
        text = postfix.wait_for_mail()
        assert "Received: from client.test (unknown [127.0.0.9])" in text
        proxy.wait_for_checks(4)
    # Once to see that haproxy is there: that was no health check.
    there = postfix.log.find(r"CONNECT from \[127\.0\.0\.1\].*")
    assert len(there) <= 1


@pytest.mark.own
@pytest.mark.skipif(not haproxy.PROGRAM, reason="no haproxy here")
def test_health_check_of_haproxy_that_speaks_smtp(ring, tmp_path):
    """It wants a whole greeting, so the proxy has to be permitted."""
    postfix = start(ring, postscreen_access_list="cidr:{{127.0.0.1 permit}}")
    with haproxy.Haproxy(
        str(tmp_path),
        ring.ports,
        postfix,
        "send-proxy-v2",
        "option smtpchk EHLO check.test",
    ) as proxy:
        postfix.log.wait_for(
            r"disconnect from unknown\[127\.0\.0\.1\] ehlo=1 .*", count=2
        )
        # After three bad checks nobody would be let through.
        with proxy.connect("127.0.0.9") as client:
            client.expect(TEASER, GREETING)
