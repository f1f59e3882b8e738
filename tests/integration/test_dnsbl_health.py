# SPDX-License-Identifier: ISC
"""DNS lists in trouble: they may cost themselves, but nobody's mail."""

import re

import pytest

import crowd
from dns import Zone, listed
from scripts import (
    CONNECT,
    DISCONNECT,
    GREETING,
    PASS_NEW,
    TEASER,
    noqueue,
    refused,
)
from waiting import until

pytestmark = [pytest.mark.own, pytest.mark.dnsbl]

BAD = "127.0.0.5"
GOOD = "127.0.0.6"
BLOCKED = "550 5.7.1 Service unavailable; client [127.0.0.5] blocked using "
LIST = r"(warning: )?DNS list bl\.test "
TESTED = {"doorbell_dnsbl_selftest_interval": "2s"}


def start(ring, own=None, **main):
    return ring.start(
        own=own,
        postscreen_dnsbl_sites=main.pop("sites", "bl.test"),
        postscreen_dnsbl_action="enforce",
        **main
    )


def passes(postfix, source, *extra):
    with postfix.connect(source) as client:
        client.expect(TEASER, GREETING)
        client.ask("QUIT", "221 2.0.0 Bye")
    postfix.log.tells(client, CONNECT, *extra, PASS_NEW)


def is_blocked(postfix):
    with postfix.connect(BAD) as client:
        client.expect(TEASER, GREETING)
        refused(client, BLOCKED + "bl.test")


def test_list_of_everybody_is_taken_out_and_comes_back(ring):
    server = ring.lists(
        Zone("bl.test", listed("127.0.0.0/8", "240.0.0.0/4"))
    )
    postfix = start(ring, TESTED)
    postfix.log.expect(LIST + "is not used: it lists .*")
    postfix.log.expect(LIST + "does not list its test entry .*")
    with postfix.connect(GOOD):  # somebody has to start it
        postfix.log.wait_for(
            LIST + r"is not used: it lists 2[45]\d\.\d+\.\d+\.\d+, "
            r"where nobody is, as 127\.0\.0\.2"
        )
    passes(postfix, BAD)
    server.serve(Zone("bl.test", listed(BAD)))
    postfix.log.wait_for(LIST + "is used again")
    server.serve(Zone("bl.test", listed(BAD, "127.0.0.7")))
    with postfix.connect("127.0.0.7") as client:
        client.expect(TEASER, GREETING)
        refused(client, BLOCKED.replace(BAD, "127.0.0.7") + "bl.test")


def test_list_of_this_host_is_taken_out(ring):
    ring.lists(Zone("bl.test", listed(BAD, "127.0.0.1", "127.0.0.2")))
    postfix = start(ring, TESTED)
    postfix.log.expect(LIST + "is not used: it lists this host, 127.0.0.1, .*")
    with postfix.connect(GOOD):
        postfix.log.wait_for(LIST + "is not used: .* as 127.0.0.2")
    passes(postfix, BAD)


def test_list_without_its_test_entry_is_used(ring):
    ring.lists(Zone("bl.test", listed(BAD)))
    postfix = start(ring, TESTED)
    postfix.log.expect(LIST + "does not list its test entry .*")
    with postfix.connect(GOOD):
        postfix.log.wait_for(LIST + "does not list its test entry .*")
    is_blocked(postfix)


def test_list_that_has_gone_is_taken_out_and_comes_back(ring):
    server = ring.lists(Zone("bl.test", listed(BAD, "127.0.0.2")))
    postfix = start(ring, TESTED)
    # That comes first: it has listed a client since it was tested.
    postfix.log.expect(LIST + "does not list its test entry .*")
    postfix.log.expect(LIST + "is not used: it lists nobody any more, .*")
    is_blocked(postfix)
    server.serve(Zone("bl.test", listed("127.0.0.99")))
    postfix.log.wait_for(LIST + "is not used: it lists nobody any more, .*")
    server.serve(Zone("bl.test", listed(BAD, "127.0.0.2")))
    postfix.log.wait_for(LIST + "is used again")
    is_blocked(postfix)


def test_error_codes_are_no_listings(ring):
    codes = ["127.255.255.254", "127.0.0.1", "127.0.0.255", "203.0.113.9"]
    ring.lists(*(Zone("e%d.test" % i, listed((BAD, code)))
                 for i, code in enumerate(codes)))  # fmt: skip
    postfix = start(
        ring, sites=" ".join("e%d.test*9" % i for i in range(len(codes)))
    )
    postfix.log.expect(r"warning: DNS list e\d\.test answers .*")
    passes(postfix, BAD, "DNSBL score 0 incomplete for C")
    for i, code in enumerate(codes):
        postfix.log.wait_for(
            r"warning: DNS list e%d\.test answers %s, which is an error code: "
            "not counted" % (i, re.escape(code))
        )
    postfix.log.tells_listed(BAD)


def test_filter_that_names_an_error_code_means_it(ring):
    ring.lists(Zone("bl.test", listed((BAD, "127.0.0.1"), "127.0.0.2")))
    postfix = start(ring, TESTED, sites="bl.test=127.0.0.1*2")
    is_blocked(postfix)
    postfix.log.tells_listed(
        BAD, "addr 127.0.0.5 listed by domain bl.test as 127.0.0.1"
    )


@pytest.mark.parametrize(
    "manner, blocked, warning",
    [
        ("servfail", False, "lookup error for DNS query .*: server failure"),
        ("garbled", False, "lookup error for DNS query .*: garbled answer"),
        ("alien", True, None),
        (("truncated", ["127.0.0.2"]), True, None),
        (("truncated", ["127.0.0.9", "127.0.0.2"]), True, None),
        (["127.0.0.9", "127.0.0.2"], True, None),
    ],
)
def test_manners_of_name_servers(ring, manner, blocked, warning):
    if manner == "alien":
        manner = ("alien", ["127.0.0.2"])
    server = ring.scripted_lists(lambda name: manner)
    postfix = start(ring, sites="bl.test=127.0.0.2")
    if warning:
        postfix.log.expect("warning: dnsblog_query: " + warning)
    if blocked:
        is_blocked(postfix)
        assert not postfix.log.find(r".*127\.0\.0\.66")
    else:
        passes(postfix, BAD, "DNSBL score 0 incomplete for C")
        postfix.log.wait_for(".*" + warning)
    assert "5.0.0.127.bl.test" in server.asked
    assert bool(server.asked_by_tcp) == (manner[0] == "truncated")


def test_black_hole_rests_and_the_other_list_goes_on(ring):
    state = {"hole.test": "silence"}

    def script(name):
        zone = name.split(".", 4)[4]
        return state.get(zone, ["127.0.0.2"] if name[0] == "5" else [])

    server = ring.scripted_lists(script)
    postfix = start(
        ring,
        sites="hole.test bl.test",
        postscreen_dnsbl_timeout="1s",
        postscreen_greet_wait="2s",
    )
    postfix.log.expect(r"warning: dnsblog reply timeout 1s for hole\.test")
    postfix.log.expect(r"warning: DNS list hole\.test keeps timing out: .*")
    clients = [postfix.connect("127.0.0.%d" % i) for i in range(10, 16)]
    postfix.log.wait_for(
        r"warning: DNS list hole\.test keeps timing out: not asked for 30s"
    )
    with postfix.connect(BAD) as client:
        client.expect(TEASER, GREETING)
        refused(client, BLOCKED + "bl.test")
    postfix.log.tells(
        client,
        CONNECT,
        "DNSBL score 1 incomplete for C",
        "DNSBL rank 1 for C",
        noqueue(BLOCKED + "bl.test"),
        DISCONNECT,
    )
    assert "5.0.0.127.hole.test" not in server.asked
    for client in clients:
        client.close()


def test_watched_list_is_asked_though_nobody_waits(ring):
    def script(name):
        return ["127.0.0.2"]

    server = ring.scripted_lists(script)
    postfix = start(ring, sites="bl.test*0", postscreen_greet_banner="")
    with postfix.connect(BAD) as client:
        client.expect(GREETING)
        client.ask("QUIT", "221 2.0.0 Bye")
    postfix.log.tells(client, CONNECT, PASS_NEW)
    postfix.log.tells_listed(
        BAD, "addr 127.0.0.5 listed by domain bl.test as 127.0.0.2"
    )
    assert server.asked == ["5.0.0.127.bl.test"]


def test_first_self_test_delays_nobody(ring):
    """Until it is answered a list counts as usual."""

    def script(name):
        return ["127.0.0.2"] if name == "5.0.0.127.bl.test" else "silence"

    server = ring.scripted_lists(script)
    postfix = start(ring, {"doorbell_dnsbl_selftest_interval": "1h"})
    is_blocked(postfix)
    until(
        lambda: any(re.match(r"\d+\.\d+\.\d+\.2[45]\d\.", n)
                    for n in server.asked),  # fmt: skip
        "a canary",
    )
    assert "1.0.0.127.bl.test" in server.asked


def test_crowd_does_not_drown_a_small_name_server(ring):
    """Its socket has no room for the questions about all clients at once: all
    are answered in time, and no list is given up."""
    n, lists = 300, 5
    server = ring.scripted_lists(lambda name: ["127.0.0.2"])
    server.receive_bytes(32768)
    postfix = ring.start(
        postscreen_dnsbl_sites=" ".join("bl%d.test" % i for i in range(lists)),
        postscreen_dnsbl_threshold=str(lists),
        postscreen_dnsbl_action="drop",
        postscreen_greet_wait="30s",
        postscreen_pre_queue_limit="1000",
    )
    report = crowd.clients(postfix, "127.1.0.1", n, n)
    assert report["refused"] == n
    postfix.log.wait_for(r"DNSBL rank %d for \[127\..*" % lists, count=n)
    assert not postfix.log.find(r".*incomplete.*")
    assert len(set(server.asked)) == n * lists
