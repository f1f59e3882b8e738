# SPDX-License-Identifier: ISC
"""The permanent access list: every table type, every action, live changes."""

import re

import pytest

from scripts import (
    CONNECT,
    DISCONNECT,
    GREETING,
    PASS_NEW,
    PASS_OLD,
    TEASER,
    greeted,
    noqueue,
    passes,
    refused,
)
from waiting import until

FRIEND = "127.0.0.21"
FOE = "127.0.0.22"
NEITHER = "127.0.0.23"
UNAVAILABLE = "5.3.2 Service currently unavailable"

TEXT = "%s permit\n%s reject\n%s dunno\n" % (FRIEND, FOE, NEITHER)
TABLES = {
    "cidr": "127.0.0.21/32 permit\n127.0.0.22 reject\n127.0.0.0/8 dunno\n",
    "texthash": TEXT,
    "hash": TEXT,
    "btree": TEXT,
    "lmdb": TEXT,
    "regexp": r"/^127\.0\.0\.21$/ permit"
    "\n"
    r"if /^127\.0\.0\.2/"
    "\n"
    r"/2$/ reject"
    "\nendif\n",
    "pcre": r"/^127\.0\.0\.(?=21)\d+$/ permit"
    "\n"
    r"/^127\.0\.0\.22\z/ REJECT"
    "\n",
    "inline": "inline:{{%s = permit}, {%s = reject}}" % (FRIEND, FOE),
}
INDEXED = ("hash", "btree", "lmdb")


def table(postfix, kind, text):
    """The name of a table of this kind."""
    if kind == "inline":
        return text
    if kind in INDEXED:
        postfix.configure()
        return postfix.postmap(kind, "access", text)
    return "%s:%s" % (kind, postfix.file("access", text))


def decides(postfix):
    """Friend, foe and stranger, as the table says."""
    for verdict in range(2):
        with postfix.connect(FRIEND) as client:
            client.expect(GREETING)
            assert client.ask("QUIT").code == 221
        postfix.log.tells(client, CONNECT, "ALLOWLISTED C")
    with postfix.connect(FOE) as client:
        client.expect("521 " + UNAVAILABLE)
        assert client.end() == b""
    postfix.log.tells(client, CONNECT, "DENYLISTED C", DISCONNECT)
    with postfix.connect(NEITHER) as client:
        assert client.line() == TEASER
    postfix.log.tells(client, CONNECT, ring_hangup(postfix), DISCONNECT)


def ring_hangup(postfix):
    return postfix.screener.hangup("before")


@pytest.mark.parametrize("kind", sorted(TABLES))
def test_table_of_each_type_decides(ring, kind):
    postfix = ring.build(postscreen_denylist_action="drop")
    postfix.main["postscreen_access_list"] = table(postfix, kind, TABLES[kind])
    postfix.start()
    decides(postfix)


def test_first_table_with_an_opinion_decides(ring):
    postfix = ring.build(postscreen_denylist_action="drop")
    first = postfix.file("first", "127.0.0.21 permit\n127.0.0.23 dunno\n")
    second = postfix.file("second", "127.0.0.0/24 reject\n")
    postfix.main[
        "postscreen_access_list"
    ] = "permit_mynetworks texthash:%s, cidr:%s, permit" % (first, second)
    postfix.main["mynetworks"] = "127.0.0.77"
    postfix.start()
    for source, verdict in (
        ("127.0.0.77", "ALLOWLISTED C"),
        (FRIEND, "ALLOWLISTED C"),
        (NEITHER, "DENYLISTED C"),
        (FOE, "DENYLISTED C"),
        ("127.0.1.1", "ALLOWLISTED C"),
    ):
        with postfix.connect(source) as client:
            if verdict == "ALLOWLISTED C":
                client.expect(GREETING)
                postfix.log.tells(client, CONNECT, verdict)
            else:
                client.expect("521 " + UNAVAILABLE)
                postfix.log.tells(client, CONNECT, verdict, DISCONNECT)


def test_static_table_denies_everyone(ring):
    postfix = ring.start(
        postscreen_access_list="static:reject",
        postscreen_denylist_action="drop",
    )
    with postfix.connect() as client:
        client.expect("521 " + UNAVAILABLE)


@pytest.mark.parametrize(
    "source,allowed",
    [
        ("127.0.0.40", True),
        ("127.0.0.41", False),
        ("127.0.0.42", True),
        ("127.0.0.43", False),
        ("127.0.0.99", False),
    ],
)
def test_mynetworks_with_exceptions_and_files(ring, source, allowed):
    postfix = ring.build(postscreen_access_list="permit_mynetworks")
    name = postfix.file("networks", "!127.0.0.43\n127.0.0.42/31\n")
    postfix.main["mynetworks"] = (
        "!127.0.0.41, 127.0.0.40/31 %s [::1]/128" % name
    )
    postfix.start()
    with postfix.connect(source) as client:
        assert client.line() == (GREETING if allowed else TEASER)
    if allowed:
        postfix.log.tells(client, CONNECT, "ALLOWLISTED C")


def test_mynetworks_holds_ipv6(ring):
    postfix = ring.start(
        postscreen_access_list="permit_mynetworks", mynetworks="[::1]/128"
    )
    with postfix.connect(host="::1") as client:
        client.expect(GREETING)
    postfix.log.tells(client, CONNECT, "ALLOWLISTED C")


def test_denied_and_ignored_is_tested_like_anyone(ring):
    postfix = ring.start(
        postscreen_access_list="static:reject",
        postscreen_denylist_action="ignore",
    )
    with postfix.connect(FOE) as client:
        client.expect(TEASER, GREETING)
        client.deliver()
    postfix.log.tells(client, CONNECT, "DENYLISTED C", PASS_NEW)


def test_denied_and_enforced_is_refused_with_what_it_wanted(ring):
    postfix = ring.start(
        postscreen_access_list="static:reject",
        postscreen_denylist_action="enforce",
    )
    with postfix.connect(FOE) as client:
        client.expect(TEASER, GREETING)
        refused(client, "550 " + UNAVAILABLE)
    postfix.log.tells(
        client,
        CONNECT,
        "DENYLISTED C",
        noqueue("550 " + UNAVAILABLE),
        DISCONNECT,
    )
    assert postfix.inbox() == []


def test_allowlisted_client_never_waits_though_it_talks_early(ring):
    postfix = ring.start(
        postscreen_access_list="static:permit", postscreen_greet_action="drop"
    )
    with postfix.connect(FRIEND) as client:
        client.send("EHLO early\r\n")
        client.expect(GREETING)
        assert client.reply().lines[0] == "250-mx.example.test"
        client.deliver()
    postfix.log.tells(client, CONNECT, "ALLOWLISTED C")
    postfix.wait_for_mail()


@pytest.mark.parametrize("action", ["old", "new"])
def test_disrespectful_words(ring, action):
    postfix = ring.start(
        postscreen_access_list="static:permit"
        if action == "old"
        else "static:reject",
        postscreen_denylist_action="drop",
        respectful_logging="no",
    )
    with postfix.connect(FOE) as client:
        client.reply()
    if action == "old":
        postfix.log.tells(client, CONNECT, "WHITELISTED C")
    else:
        postfix.log.tells(client, CONNECT, "BLACKLISTED C", DISCONNECT)


@pytest.mark.parametrize("kind", ["cidr", "texthash", "hash"])
def test_changed_table_is_taken_up_and_loses_no_session(ring, kind):
    """postscreen watches the indexed ones only."""
    if kind != "hash" and not ring.screener.is_doorbelld:
        pytest.skip("postscreen reads this type once")
    postfix = ring.build(
        postscreen_denylist_action="drop", postscreen_greet_wait="3s"
    )
    before = "127.0.0.9 permit\n"
    after = "127.0.0.9 reject\n"
    postfix.main["postscreen_access_list"] = table(postfix, kind, before)
    # The next postscreen may start before the last one has closed its cache,
    # and then dies of it.
    postfix.main["postscreen_cache_map"] = ""
    postfix.start()
    with postfix.connect("127.0.0.9") as client:
        client.expect(GREETING)
    held = postfix.connect(NEITHER)
    assert held.line() == TEASER
    table(postfix, kind, after)

    def taken_up():
        with postfix.connect("127.0.0.9") as client:
            return client.reply().code == 521

    until(taken_up, "the changed table to decide")
    if kind == "hash":
        postfix.log.expect(
            "error: accept connection: Socket operation on " "non-socket"
        )
        if not ring.screener.is_doorbelld:
            postfix.log.wait_for(
                r"table hash:\S+/access"
                r"(?:\(\S+\))? has changed - finishing in the background"
            )
    assert held.line() == GREETING
    held.deliver()
    postfix.log.tells(held, CONNECT, PASS_NEW)
    postfix.wait_for_mail()


@pytest.mark.own
def test_table_that_no_longer_parses_leaves_the_old_one_in_force(ring):
    postfix = ring.build(postscreen_denylist_action="drop")
    path = postfix.file("access", "127.0.0.9 reject\n")
    postfix.main["postscreen_access_list"] = "cidr:" + path
    postfix.start()
    postfix.log.expect(r"warning: .*access.*")
    with postfix.connect("127.0.0.9") as client:
        client.expect("521 " + UNAVAILABLE)
    mark = postfix.log.mark()
    postfix.file("access", "127.0.0.9/99 nonsense/\n")
    postfix.log.wait_for(r"warning: .*access.*", after=mark)
    with postfix.connect("127.0.0.9") as client:
        client.expect("521 " + UNAVAILABLE)


def test_bad_line_is_skipped_with_a_warning_naming_it(ring):
    postfix = ring.build(postscreen_denylist_action="drop")
    path = postfix.file(
        "access", "# first\n127.0.0.8/44 permit\n127.0.0.9 reject\n"
    )
    postfix.main["postscreen_access_list"] = "cidr:" + path
    postfix.log.expect(r"warning: .*%s.*" % re.escape(path))
    postfix.start()
    with postfix.connect("127.0.0.9") as client:
        client.expect("521 " + UNAVAILABLE)
    postfix.log.wait_for(r"warning: .*%s(:2:|, line 2:).*" % re.escape(path))


def test_unreadable_table_ends_the_list_and_warns(ring):
    postfix = ring.build()
    path = postfix.directory + "/missing"
    postfix.main["postscreen_access_list"] = "texthash:%s permit" % path
    postfix.log.expect(r"warning: .*%s.*" % re.escape(path))
    postfix.log.expect(r"error: open (?:database )?%s: .*" % re.escape(path))
    postfix.start()
    with postfix.connect() as client:
        assert client.line() == TEASER
    postfix.log.wait_for(r".*%s.*" % re.escape(path))


def test_other_interface_vetoes_and_defers(ring):
    """On 127.0.0.1 nobody can earn a pass; on ::1 everybody can."""
    postfix = ring.start(
        postscreen_allowlist_interfaces="!127.0.0.1 static:all"
    )
    with postfix.connect() as client:
        client.expect(TEASER, GREETING)
        refused(client, "450 4.3.2 Service currently unavailable")
    postfix.log.tells(
        client,
        CONNECT,
        "ALLOWLIST VETO C",
        noqueue("450 4.3.2 Service currently unavailable"),
        DISCONNECT,
    )
    passes(postfix, PASS_NEW, host="::1")
    passes(postfix, PASS_OLD, subject="again", host="::1")


def test_pass_earned_elsewhere_holds_on_a_vetoed_interface(ring):
    postfix = ring.start(
        postscreen_allowlist_interfaces="!127.0.0.1 static:all",
        postscreen_access_list="inline:{127.0.0.9=permit}",
    )
    with postfix.connect("127.0.0.9") as client:
        greeted(client, PASS_OLD)
    postfix.log.tells(client, CONNECT, "ALLOWLISTED C")
