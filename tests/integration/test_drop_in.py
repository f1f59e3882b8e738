# SPDX-License-Identifier: ISC
"""One word in master.cf, and the same sessions give the same log.

A Postfix that has run postscreen with lists, greet_action and a cidr table is
stopped, the word is changed, and the same clients come again."""

import re

import pytest

import namespace
from dns import Zone, listed
from scripts import GREETING, TEASER, refused
from waiting import until

pytestmark = [pytest.mark.own, pytest.mark.dnsbl]

BLOCKED = "5.7.1 Service unavailable; client [127.0.0.5] blocked using bl.test"


def sessions(postfix):
    """Everyone who comes to such a door; returns what each was told."""
    told = []

    def visit(source, act, host="127.0.0.1"):
        mark = postfix.log.mark()
        with postfix.connect(source, host=host) as client:
            act(client)
            told.append(client.transcript)
            address = re.escape(client.address)
        # postscreen asks its memory only when no other session of the
        # address is open: wait for the end of this one.
        postfix.log.wait_for(
            r"(disconnect from unknown\[%s\] |DISCONNECT \[%s\]).*"
            % (address, address),
            after=mark,
        )

    def early(client):
        client.line()
        client.send("EHLO bot.test\r\n")
        assert client.reply().lines[0] == "250-mx.example.test"
        client.ask("MAIL FROM:<a@bot.test>")
        client.ask("RCPT TO:<b@example.test>", "550 5.5.1 Protocol error")
        client.ask("QUIT", "221 2.0.0 Bye")
        client.end()

    def blocked(client):
        client.expect(TEASER, GREETING)
        refused(client, "550 " + BLOCKED)

    def denied(client):
        client.expect("521 5.3.2 Service currently unavailable")
        client.end()

    def new(client):
        client.expect(TEASER, GREETING)
        assert client.ask("QUIT").code == 221

    def known(client):
        client.expect(GREETING)
        assert client.ask("QUIT").code == 221

    def silent_leaver(client):
        client.line()
        client.half_close()
        client.end()

    visit("127.0.0.8", early)
    visit("127.0.0.5", blocked)
    visit("127.0.0.22", denied)
    visit("127.0.0.21", known)
    visit("127.0.0.9", silent_leaver)
    # One in between, so that postscreen has seen the end of the one before.
    visit("127.0.0.2", new)
    visit("127.0.0.21", known)
    visit("127.0.0.2", known)
    visit(None, new, "::1")
    visit("127.0.0.21", known)
    visit(None, known, "::1")
    return [re.sub(rb"\d{6,}", b"N", text) for text in told]


def story(postfix, first):
    """The log of the screener without what is never the same twice."""
    plain = []
    postfix.log.refresh()
    for line in postfix.log.lines[first:]:
        if line.tag not in ("postfix/postscreen", "postfix/dnsblog"):
            continue
        text = re.sub(r"\]:\d+", "]:P", line.text)
        text = re.sub(r" after [0-9.]+ from", " after T from", text)
        if not re.match("cache |doorbelld ", text):
            plain.append((line.tag, text))
    return plain


def test_one_word_in_master_cf(ring):
    if not namespace.possible():
        pytest.skip("no namespaces here")
    network = ring.namespace()
    assert network
    ring.lists(Zone("bl.test", listed("127.0.0.5")))
    postfix = ring.build(
        postscreen_dnsbl_sites="bl.test",
        postscreen_dnsbl_action="enforce",
        postscreen_greet_action="enforce",
        postscreen_greet_wait="2s",
        postscreen_denylist_action="drop",
    )
    postfix.main["postscreen_access_list"] = "cidr:" + postfix.file(
        "access", "127.0.0.21 permit\n127.0.0.22 reject\n"
    )
    # resolv.conf names the server, as it does on a site like this.
    del postfix.own["doorbell_dns_servers"]

    told, logged = {}, {}
    for program in "postscreen", "doorbelld":
        postfix.program = program
        postfix.start()
        first = postfix.log.mark()
        told[program] = sessions(postfix)
        until(lambda: len(story(postfix, first)) >= 29, "the last lines")
        logged[program] = story(postfix, first)
        postfix.stop()
    assert told["doorbelld"] == told["postscreen"]
    assert logged["doorbelld"] == logged["postscreen"]
