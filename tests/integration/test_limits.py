# SPDX-License-Identifier: ISC
"""Limits at the door: connections of a client, stress, crowded smtpd."""

import re

import pytest

from scripts import (
    BUSY,
    CONNECT,
    DISCONNECT,
    GREETING,
    PASS_NEW,
    PASS_OLD,
    TEASER,
    passes,
)

SHED = "421 4.3.2 Server overloaded - try again later"
TOO_MANY = "NOQUEUE: reject: CONNECT from C: too many connections"


def test_client_with_too_many_connections_is_refused(ring):
    postfix = ring.start(
        postscreen_client_connection_count_limit="2",
        postscreen_greet_wait="5s",
    )
    held = [postfix.connect("127.0.0.30") for _ in range(2)]
    for client in held:
        assert client.line() == TEASER
    with postfix.connect("127.0.0.30") as third:
        third.expect("421 4.7.0 Error: too many connections")
        assert third.end() == b""
    postfix.log.tells(third, CONNECT, TOO_MANY, DISCONNECT)
    with postfix.connect("127.0.0.31") as other:
        assert other.line() == TEASER
    held.pop().close()
    postfix.log.wait_for("DISCONNECT " + re.escape(client.me))
    with postfix.connect("127.0.0.30") as third:
        assert third.line() == TEASER
    held.pop().close()


def test_limit_of_zero_is_none(ring):
    postfix = ring.start(
        postscreen_client_connection_count_limit="0",
        smtpd_client_connection_count_limit="0",
    )
    clients = [postfix.connect("127.0.0.30") for _ in range(60)]
    for client in clients:
        assert client.line() == TEASER
    for client in clients:
        client.close()


def test_handed_over_sessions_do_not_count(ring):
    postfix = ring.start(
        postscreen_client_connection_count_limit="1",
        smtpd_client_connection_count_limit="0",
        postscreen_access_list="static:permit",
    )
    clients = [postfix.connect("127.0.0.30") for _ in range(1)]
    for _ in range(3):
        clients[-1].expect(GREETING)
        clients.append(postfix.connect("127.0.0.30"))
    for client in clients:
        client.close()


def test_sessions_of_one_client_pass_new_once(ring):
    """While sessions of an address overlap, the first is NEW, the rest OLD."""
    postfix = ring.start()
    clients = [postfix.connect("127.0.0.33") for _ in range(3)]
    for client in clients:
        client.expect(TEASER, GREETING)
    verdicts = []
    for client in clients:
        client.close()
        postfix.log.wait_for(r"PASS (NEW|OLD) " + re.escape(client.me))
        verdicts.append(postfix.log.of(client)[1:])
    assert sorted(verdicts) == [[PASS_NEW], [PASS_OLD], [PASS_OLD]]


def test_stress_begins_at_ninety_percent_and_ends_at_seventy(ring):
    """Values that depend on stress are taken from then on, and back."""
    postfix = ring.start(
        postscreen_pre_queue_limit="10",
        postscreen_greet_wait="${stress?{2}:{40}}s",
    )
    crowd = [postfix.connect("127.0.2.%d" % n) for n in range(1, 9)]
    for client in crowd:
        assert client.line() == TEASER
    assert not postfix.log.find(".*STRESS.*")
    ninth = postfix.connect("127.0.2.9")
    postfix.log.wait_for("entering STRESS mode with 9 connections")
    assert ninth.line() == TEASER
    # The ninth is greeted after the short wait.
    assert ninth.line(timeout=15) == GREETING
    ninth.close()
    for client in crowd[:2]:
        client.close()
    postfix.log.wait_for("leaving STRESS mode with 7 connections")
    assert len(postfix.log.find(".*STRESS mode.*")) == 2
    for client in crowd:
        client.close()


def test_stress_shortens_the_command_time_limit(ring):
    postfix = ring.start(
        postscreen_pre_queue_limit="10",
        postscreen_access_list="static:reject",
        postscreen_denylist_action="enforce",
        postscreen_greet_banner="",
        postscreen_command_time_limit="${stress?{2}:{300}}s",
    )
    calm = postfix.connect("127.0.2.1")
    calm.expect(GREETING)
    crowd = [postfix.connect("127.0.2.%d" % n) for n in range(2, 10)]
    postfix.log.wait_for("entering STRESS mode with 9 connections")
    last = crowd[-1]
    last.expect(GREETING)
    last.expect("421 4.4.2 mx.example.test Error: timeout exceeded")
    for client in crowd + [calm]:
        client.close()
    postfix.log.tells(
        last,
        CONNECT,
        "DENYLISTED C",
        "COMMAND TIME LIMIT from C after CONNECT",
        DISCONNECT,
    )


def crowd_of(postfix, n):
    """`n` strangers who wait for their greeting."""
    clients = [postfix.connect("127.0.3.%d" % i) for i in range(1, n + 1)]
    for client in clients:
        assert client.line() == TEASER
    return clients


def test_full_screening_ports(ring):
    """postscreen refuses at pre_queue_limit, doorbelld refuses nobody."""
    postfix = ring.start(
        postscreen_pre_queue_limit="10", postscreen_greet_wait="20s"
    )
    crowd = crowd_of(postfix, 9)
    with postfix.connect("127.0.3.99") as newcomer:
        if ring.screener.refuses_at_limits:
            newcomer.expect("421 4.3.2 All screening ports are busy")
            postfix.log.tells(
                newcomer,
                CONNECT,
                "reject: connect from C: all screening ports busy",
                DISCONNECT,
            )
        else:
            assert newcomer.line() == TEASER
    for client in crowd:
        client.close()


@pytest.mark.own
def test_session_limit_sheds_the_worst(ring):
    """The rejected one first, then the oldest of the largest block."""
    postfix = ring.start(
        own={"doorbell_session_limit": "6"},
        postscreen_greet_wait="20s",
        postscreen_access_list="inline:{127.0.3.98=permit}, "
        "inline:{127.0.4.1=reject}",
        postscreen_denylist_action="enforce",
    )
    crowd = crowd_of(postfix, 5)
    rejected = postfix.connect("127.0.4.1")
    assert rejected.line() == TEASER
    with postfix.connect("127.0.5.1") as newcomer:
        assert newcomer.line() == TEASER
        rejected.expect(SHED)
        assert rejected.end() == b""
        postfix.log.wait_for(
            r"SHED after \S+ from %s in tests before SMTP handshake"
            % re.escape(rejected.me)
        )
        postfix.log.wait_for("DISCONNECT " + re.escape(rejected.me))
        with postfix.connect("127.0.3.98") as friend:
            friend.expect(GREETING)
            crowd[0].expect(SHED)
        assert newcomer.silent()
        assert all(client.silent() for client in crowd[1:])
    for client in crowd:
        client.close()


@pytest.mark.own
def test_when_nobody_is_worse_the_newcomer_is_refused(ring):
    postfix = ring.start(
        own={"doorbell_session_limit": "2"},
        postscreen_greet_wait="20s",
        postscreen_access_list="inline:{127.0.4.1=reject}",
        postscreen_denylist_action="enforce",
    )
    crowd = crowd_of(postfix, 2)
    with postfix.connect("127.0.4.1") as newcomer:
        newcomer.expect("421 4.3.2 All screening ports are busy")
        assert newcomer.end() == b""
    postfix.log.tells(
        newcomer,
        CONNECT,
        "DENYLISTED C",
        "reject: connect from C: all screening ports busy",
        DISCONNECT,
    )
    for client in crowd:
        assert client.silent()
        client.close()


class Smtpd:
    """The only smtpd process, kept busy by a client that sits in it."""

    def __init__(self, ring, **main):
        self.postfix = ring.build(
            postscreen_access_list="static:permit", **main
        )
        self.postfix.smtpd_maxproc = "1"
        self.postfix.start()
        self.blocker = self.postfix.connect("127.0.4.1")
        self.blocker.expect(GREETING)

    def free(self):
        self.blocker.ask("QUIT", "221 2.0.0 Bye")
        self.blocker.close()


def test_busy_smtpd_lets_hand_offs_wait_and_serves_them_all(ring):
    smtpd = Smtpd(ring)
    waiting = [smtpd.postfix.connect("127.0.4.%d" % n) for n in range(2, 8)]
    for client in waiting:
        smtpd.postfix.log.tells(client, CONNECT, "ALLOWLISTED C")
    assert all(client.silent() for client in waiting)
    smtpd.free()
    for n, client in enumerate(waiting):
        client.expect(GREETING)
        client.deliver(subject="mail %d" % n)
    for n in range(len(waiting)):
        smtpd.postfix.wait_for_mail("mail %d" % n)


def test_post_queue_limit(ring):
    """postscreen refuses who is too many, doorbelld keeps them waiting."""
    smtpd = Smtpd(ring, postscreen_post_queue_limit="5")
    waiting = [smtpd.postfix.connect("127.0.4.%d" % n) for n in range(2, 11)]
    if ring.screener.refuses_at_limits:
        for client in waiting[5:]:
            client.expect(BUSY)
            smtpd.postfix.log.tells(
                client,
                CONNECT,
                "NOQUEUE: reject: CONNECT from C: all server ports busy",
                DISCONNECT,
            )
            client.close()
        waiting = waiting[:5]
    for client in waiting:
        smtpd.postfix.log.tells(client, CONNECT, "ALLOWLISTED C")
    assert all(client.silent() for client in waiting)
    smtpd.free()
    for n, client in enumerate(waiting):
        client.expect(GREETING)
        client.deliver(subject="mail %d" % n)
        smtpd.postfix.wait_for_mail("mail %d" % n)


def test_known_clients_are_served_while_strangers_wait_in_crowds(ring):
    postfix = ring.start(postscreen_greet_wait="3s")
    passes(postfix, source="127.0.0.50", subject="one")
    crowd = [postfix.connect("127.0.5.%d" % n) for n in range(1, 60)]
    passes(postfix, PASS_OLD, source="127.0.0.50", subject="two")
    for client in crowd:
        client.close()
