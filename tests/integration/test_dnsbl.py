# SPDX-License-Identifier: ISC
"""DNS lists: scores, filters, thresholds, and lists that do not answer."""

import re

import pytest

from dns import Zone, listed
from scripts import (
    CONNECT,
    DISCONNECT,
    GREETING,
    PASS_NEW,
    PASS_OLD,
    TEASER,
    noqueue,
    refused,
)
from waiting import until

pytestmark = pytest.mark.dnsbl

BAD = "127.0.0.5"
GOOD = "127.0.0.6"
LISTED = "addr 127.0.0.5 listed by domain bl.test as 127.0.0.2"
BLOCKED = "5.7.1 Service unavailable; client [127.0.0.5] blocked using "


def test_enforce_refuses_the_listed_and_lets_others_pass(ring):
    ring.lists(Zone("bl.test", listed(BAD)))
    postfix = ring.start(
        postscreen_dnsbl_sites="bl.test", postscreen_dnsbl_action="enforce"
    )
    with postfix.connect(BAD) as bad, postfix.connect(GOOD) as good:
        bad.expect(TEASER, GREETING)
        refused(bad, "550 " + BLOCKED + "bl.test")
        good.expect(TEASER, GREETING)
        good.deliver()
    postfix.log.tells(
        bad,
        CONNECT,
        "DNSBL rank 1 for C",
        noqueue("550 " + BLOCKED + "bl.test"),
        DISCONNECT,
    )
    postfix.log.tells(good, CONNECT, PASS_NEW)
    postfix.log.tells_listed(BAD, LISTED)
    postfix.log.tells_listed(GOOD)
    assert postfix.log.find(re.escape(LISTED), tag="postfix/dnsblog")


def test_ignore_logs_the_rank_and_hands_over(ring):
    ring.lists(Zone("bl.test", listed(BAD)))
    postfix = ring.start(
        postscreen_dnsbl_sites="bl.test*3", postscreen_dnsbl_action="ignore"
    )
    with postfix.connect(BAD) as client:
        client.expect(TEASER, GREETING)
        client.deliver()
    postfix.log.tells(client, CONNECT, "DNSBL rank 3 for C")
    postfix.log.tells_listed(BAD, LISTED)
    postfix.wait_for_mail()


def test_drop_says_521(ring):
    ring.lists(Zone("bl.test", listed(BAD)))
    postfix = ring.start(
        postscreen_dnsbl_sites="bl.test",
        postscreen_dnsbl_action="drop",
        postscreen_greet_wait="5s",
    )
    with postfix.connect(BAD) as client:
        client.expect(TEASER, "521 " + BLOCKED + "bl.test")
        assert client.end() == b""
        if ring.screener.drops_early:
            assert client.age() < 3, "the verdict was certain long ago"
    postfix.log.tells(client, CONNECT, "DNSBL rank 1 for C", DISCONNECT)
    postfix.log.tells_listed(BAD, LISTED)


def test_pregreet_and_dnsbl_enforced_give_the_dnsbl_text(ring):
    ring.lists(Zone("bl.test", listed(BAD)))
    postfix = ring.start(
        postscreen_dnsbl_sites="bl.test",
        postscreen_dnsbl_action="enforce",
        postscreen_greet_action="enforce",
    )
    with postfix.connect(BAD) as client:
        assert client.line() == TEASER
        client.send("EHLO bot.test\r\n")
        assert client.reply().lines[0] == "250-mx.example.test"
        client.ask("MAIL FROM:<a@bot.test>", "250 2.1.0 Ok")
        client.ask("RCPT TO:<b@example.test>", "550 " + BLOCKED + "bl.test")
    postfix.log.tells(
        client,
        CONNECT,
        ring.screener.pregreet((15, r"EHLO bot.test\r\n")),
        "DNSBL rank 1 for C",
        noqueue("550 " + BLOCKED + "bl.test"),
        ring.screener.hangup("after"),
        DISCONNECT,
    )


def test_weights_and_filters_add_up_to_the_rank(ring):
    """Several records count once per filter; the text names the site with the
    largest single weight."""
    ring.lists(
        Zone("one.test", listed((BAD, "127.0.0.3"))),
        Zone("two.test", listed((BAD, "127.0.1.9"))),
        Zone("off.test", listed((BAD, "127.0.0.77"))),
    )
    postfix = ring.start(
        postscreen_dnsbl_sites="one.test=127.0.0.[2..4]*2 "
        "two.test=127.0.[1;3].[1..9]*4, one.test=127.0.0.3*1 "
        "off.test=127.0.0.2*100 off.test=127.0.0.77*-1",
        postscreen_dnsbl_threshold="6",
        postscreen_dnsbl_action="enforce",
    )
    with postfix.connect(BAD) as client:
        client.expect(TEASER, GREETING)
        refused(client, "550 " + BLOCKED + "two.test")
    postfix.log.tells(
        client,
        CONNECT,
        "DNSBL rank 6 for C",
        noqueue("550 " + BLOCKED + "two.test"),
        DISCONNECT,
    )
    # A site with several filters is one query and one line.
    postfix.log.tells_listed(
        BAD,
        "addr 127.0.0.5 listed by domain off.test as 127.0.0.77",
        "addr 127.0.0.5 listed by domain one.test as 127.0.0.3",
        "addr 127.0.0.5 listed by domain two.test as 127.0.1.9",
    )


def test_below_the_threshold_passes_without_a_rank(ring):
    ring.lists(Zone("bl.test", listed(BAD)))
    postfix = ring.start(
        postscreen_dnsbl_sites="bl.test*2",
        postscreen_dnsbl_threshold="3",
        postscreen_dnsbl_action="enforce",
    )
    with postfix.connect(BAD) as client:
        client.expect(TEASER, GREETING)
        client.deliver()
    postfix.log.tells(client, CONNECT, PASS_NEW)
    postfix.log.tells_listed(BAD, LISTED)


def test_allowlist_threshold_ends_the_wait_and_passes_every_test(ring):
    ring.lists(Zone("wl.test", listed(BAD)))
    postfix = ring.start(
        postscreen_dnsbl_sites="wl.test*-2",
        postscreen_dnsbl_allowlist_threshold="-1",
        postscreen_dnsbl_action="enforce",
        postscreen_greet_wait="8s",
    )
    for verdict in PASS_NEW, PASS_OLD:
        with postfix.connect(BAD) as client:
            assert client.reply().lines[-1] == GREETING
            assert client.age() < 5
            client.deliver()
        postfix.log.tells(client, CONNECT, verdict)


@pytest.mark.parametrize("action", ["enforce", "drop"])
def test_reply_map_hides_the_name_of_a_list(ring, action):
    ring.lists(Zone("s3cret.bl.test", listed(BAD)))
    postfix = ring.build(
        postscreen_dnsbl_sites="s3cret.bl.test", postscreen_dnsbl_action=action
    )
    postfix.main["postscreen_dnsbl_reply_map"] = "texthash:" + postfix.file(
        "reply_map", "s3cret.bl.test bl.test\n"
    )
    postfix.start()
    with postfix.connect(BAD) as client:
        if action == "drop":
            client.expect(TEASER, "521 " + BLOCKED + "bl.test")
        else:
            client.expect(TEASER, GREETING)
            refused(client, "550 " + BLOCKED + "bl.test")
    if ring.screener.is_doorbelld:  # secret names never show
        assert not postfix.log.find(".*s3cret.*")
        postfix.log.tells_listed(BAD, LISTED)


def test_ipv6_clients_are_looked_up_by_nibbles(ring):
    ring.lists(Zone("six.test", listed("::1"), kind="ip6trie"))
    postfix = ring.start(
        postscreen_dnsbl_sites="six.test", postscreen_dnsbl_action="enforce"
    )
    reply = (
        "550 5.7.1 Service unavailable; client [::1] blocked using six.test"
    )
    with postfix.connect(host="::1") as client:
        client.expect(TEASER, GREETING)
        refused(client, reply)
    postfix.log.tells(
        client, CONNECT, "DNSBL rank 1 for C", noqueue(reply), DISCONNECT
    )
    postfix.log.tells_listed(
        "::1", "addr ::1 listed by domain six.test as 127.0.0.2"
    )


def test_every_record_of_an_answer_is_logged(ring):
    ring.lists(
        Zone(
            "many.test",
            [("5.0.0.127", "127.0.0.2"), ("5.0.0.127", "127.0.0.4")],
            kind="dnset",
        )
    )
    postfix = ring.start(
        postscreen_dnsbl_sites="many.test=127.0.0.4",
        postscreen_dnsbl_action="enforce",
    )
    with postfix.connect(BAD) as client:
        client.expect(TEASER, GREETING)
        refused(client, "550 " + BLOCKED + "many.test")
    postfix.log.tells(
        client,
        CONNECT,
        "DNSBL rank 1 for C",
        noqueue("550 " + BLOCKED + "many.test"),
        DISCONNECT,
    )
    postfix.log.tells_listed(
        BAD,
        "addr 127.0.0.5 listed by domain many.test as 127.0.0.2",
        "addr 127.0.0.5 listed by domain many.test as 127.0.0.4",
    )


def test_listed_client_is_asked_about_again_when_it_returns(ring):
    """A client that was listed and is no more passes; one that passed stays
    passed for the TTL of the answer, at least dnsbl_min_ttl."""
    server = ring.lists(Zone("bl.test", listed(BAD), ttl=1, negative_ttl=1))
    postfix = ring.start(
        postscreen_dnsbl_sites="bl.test",
        postscreen_dnsbl_action="drop",
        postscreen_dnsbl_min_ttl="60s",
    )
    with postfix.connect(BAD) as client:
        client.expect(TEASER, "521 " + BLOCKED + "bl.test")
    server.serve(Zone("bl.test", listed(GOOD)))
    with postfix.connect(BAD) as client:
        client.expect(TEASER, GREETING)
        client.deliver()
    postfix.log.tells(client, CONNECT, PASS_NEW)
    server.serve(Zone("bl.test", listed(BAD)))
    with postfix.connect(BAD) as client:
        client.expect(GREETING)
    postfix.log.tells(client, CONNECT, PASS_OLD)


def test_negative_answer_is_remembered_as_long_as_its_soa_says(ring):
    server = ring.lists(Zone("bl.test", listed(BAD), negative_ttl=1))
    postfix = ring.start(
        postscreen_dnsbl_sites="bl.test",
        postscreen_dnsbl_action="drop",
        postscreen_dnsbl_min_ttl="1s",
        postscreen_greet_ttl="1d",
    )
    with postfix.connect(GOOD) as client:
        client.expect(TEASER, GREETING)
        client.deliver()
    postfix.log.tells(client, CONNECT, PASS_NEW)

    server.serve(Zone("bl.test", listed(GOOD)))

    def tested_again():
        """The DNSBL test alone is due: no teaser."""
        with postfix.connect(GOOD) as client:
            return client.reply().code == 521

    until(tested_again, "a second DNSBL test")


@pytest.mark.stops
def test_lists_that_time_out_cost_the_wait_and_a_warning(ring):
    server = ring.lists(Zone("bl.test", listed(BAD)))
    postfix = ring.start(
        postscreen_dnsbl_sites="bl.test",
        postscreen_dnsbl_action="enforce",
        postscreen_dnsbl_timeout="2s",
        postscreen_greet_wait="4s",
    )
    server.freeze()
    postfix.log.expect(r"warning: dnsblog reply timeout 2s for bl\.test")
    postfix.log.expect(r"warning: dnsblog_query: lookup error .*")
    with postfix.connect(BAD) as client:
        client.expect(TEASER, GREETING)
        assert client.age() < 15
        client.deliver()
    postfix.log.wait_for(r"warning: dnsblog reply timeout 2s for bl\.test")
    postfix.log.tells(client, CONNECT, *ring.screener.incomplete(0), PASS_NEW)
    postfix.wait_for_mail()


@pytest.mark.lifecycle
def test_killed_name_server_stops_no_mail_and_may_come_back(ring):
    server = ring.lists(Zone("bl.test", listed(BAD)))
    postfix = ring.start(
        postscreen_dnsbl_sites="bl.test",
        postscreen_dnsbl_action="enforce",
        postscreen_dnsbl_timeout="3s",
    )
    server.kill()
    postfix.log.expect(r"warning: dnsblog(_query: lookup error.*| reply .*)")
    with postfix.connect(GOOD) as client:
        client.expect(TEASER, GREETING)
        client.deliver()
    postfix.log.tells(client, CONNECT, *ring.screener.incomplete(0), PASS_NEW)
    server.start()
    with postfix.connect(BAD) as client:
        client.expect(TEASER, GREETING)
        refused(client, "550 " + BLOCKED + "bl.test")
