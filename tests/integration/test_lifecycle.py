# SPDX-License-Identifier: ISC
"""Reload, stop and violent ends: nobody's mail is lost."""

import os
import re
import signal

import pytest

import processes
from client import refuses
from scripts import (
    CONNECT,
    DISCONNECT,
    GREETING,
    PASS_NEW,
    PASS_OLD,
    TEASER,
    passes,
    refused,
)
from waiting import until

pytestmark = pytest.mark.lifecycle

DENIED = "DENYLISTED C"
REFUSAL = "550 5.3.2 Service currently unavailable"
KILLED = r"warning: process \S+ pid \d+ killed by signal 9"


def gone(pid):
    until(lambda: not processes.is_alive(pid), "the end of %d" % pid)


def without_cache(ring, postfix):
    """Two postscreen processes cannot share a cache: the second may start
    before the first has closed it, and dies of that."""
    if not ring.screener.is_doorbelld:
        postfix.main["postscreen_cache_map"] = ""


def test_reload_in_mid_session_delivers_old_and_new(ring):
    postfix = ring.build(postscreen_greet_wait="5s")
    without_cache(ring, postfix)
    postfix.start()
    held = postfix.connect("127.0.0.2")
    assert held.line() == TEASER
    pid = postfix.screener_pid()
    postfix.reload()
    gone(pid)
    assert held.silent(), "the wait is not over: the process left at once"
    new = postfix.connect("127.0.0.3")
    assert new.line() == TEASER
    assert postfix.screener_pid() != pid
    assert held.line() == GREETING
    held.deliver(subject="held")
    assert new.line() == GREETING
    new.deliver(subject="new")
    postfix.log.tells(held, CONNECT, PASS_NEW)
    postfix.log.tells(new, CONNECT, PASS_NEW)
    postfix.wait_for_mail("held")
    postfix.wait_for_mail("new")


@pytest.mark.own
def test_pass_earned_in_the_draining_process_is_kept(ring):
    postfix = ring.start(postscreen_greet_wait="3s")
    held = postfix.connect("127.0.0.2")
    assert held.line() == TEASER
    pid = postfix.screener_pid()
    postfix.reload()
    gone(pid)
    passes(postfix, PASS_NEW, subject="new", source="127.0.0.3")
    assert held.line() == GREETING
    held.deliver(subject="held")
    # The last second of passes may be lost to kill -9, but never here.
    until(lambda: not postfix.drainers(), "the end of the draining process")
    passes(postfix, PASS_OLD, subject="again", source="127.0.0.2")
    passes(postfix, PASS_OLD, subject="again", source="127.0.0.3")


def test_reload_keeps_a_refused_dialogue_going(ring):
    postfix = ring.build(
        postscreen_access_list="static:reject",
        postscreen_denylist_action="enforce",
        postscreen_greet_banner="",
    )
    without_cache(ring, postfix)
    postfix.start()
    with postfix.connect() as client:
        client.expect(GREETING)
        pid = postfix.screener_pid()
        postfix.reload()
        gone(pid)
        refused(client, REFUSAL)
    postfix.log.tells(
        client,
        CONNECT,
        DENIED,
        re.compile("NOQUEUE: reject: RCPT from C: .*"),
        DISCONNECT,
    )


def test_reload_takes_the_new_configuration(ring):
    postfix = ring.build()
    without_cache(ring, postfix)
    postfix.start()
    passes(postfix)
    pid = postfix.screener_pid()
    postfix.main["postscreen_greet_banner"] = "something new"
    postfix.reload()
    gone(pid)
    with postfix.connect("127.0.0.3") as client:
        client.expect("220-something new", GREETING)


@pytest.mark.own
def test_reload_after_reload_starts_no_more_than_one_process_each(ring):
    postfix = ring.start()
    for n in range(4):
        passes(postfix, PASS_OLD if n else PASS_NEW, subject="n%d" % n)
        pid = postfix.screener_pid()
        postfix.reload()
        gone(pid)
        # The pass may still be on its way to the disk.
        until(lambda: not postfix.drainers(), "the end of the drainer")
    assert len(postfix.log.find(r"doorbelld \S+ starting.*")) == 4


def test_connections_during_a_reload_are_all_served(ring):
    postfix = ring.build(postscreen_access_list="static:permit")
    without_cache(ring, postfix)
    postfix.start()
    # master(8) waits for room in the socket of the log daemon that it has to
    # start itself: it must not have much to read when master(8) reloads.
    for n in range(5):
        with postfix.connect("127.0.6.%d" % (n + 1)) as client:
            client.expect(GREETING)
        postfix.log.wait_for(
            r"disconnect from unknown\[%s\].*" % re.escape(client.address)
        )
    os.kill(postfix.master, signal.SIGHUP)
    clients = [postfix.connect("127.0.6.%d" % n) for n in range(6, 30)]
    for client in clients:
        client.expect(GREETING)
        client.close()
    # 3.7.11, and only after a reload in the middle of accepting.
    postfix.log.expect(
        "error: accept connection: Socket operation on " "non-socket"
    )


@pytest.mark.own
def test_stop_says_421_where_the_dialogue_is_ours(ring):
    postfix = ring.start(
        postscreen_access_list="static:reject",
        postscreen_denylist_action="enforce",
        postscreen_greet_banner="",
    )
    client = postfix.connect()
    client.expect(GREETING)
    client.ask("EHLO a")
    pid = postfix.screener_pid()
    postfix.stop()
    gone(pid)
    assert client.reply().code == 421
    assert client.end() == b""
    client.close()


@pytest.mark.own
def test_stop_ends_every_process_with_clients_in_the_greet_wait(ring):
    postfix = ring.start(postscreen_greet_wait="60s")
    clients = [postfix.connect("127.0.7.%d" % n) for n in range(1, 21)]
    for client in clients:
        assert client.line() == TEASER
    pid = postfix.screener_pid()
    postfix.reload()
    gone(pid)
    clients.append(postfix.connect())
    assert clients[-1].line() == TEASER
    pid = postfix.screener_pid()
    postfix.stop()
    gone(pid)
    assert re.fullmatch(rb"(421 [^\n]*\n)?", clients[-1].end())
    for client in clients:
        client.close()


def test_stop_and_start_serve_again_at_once(ring):
    postfix = ring.build()
    without_cache(ring, postfix)
    postfix.start()
    passes(postfix, subject="first")
    pid = postfix.screener_pid()
    postfix.stop()
    postfix.start()
    gone(pid)  # and with it the last second of passes is on the disk
    passes(
        postfix,
        PASS_OLD if ring.screener.is_doorbelld else PASS_NEW,
        subject="second",
    )
    postfix.wait_for_mail("second")


def test_killed_screener_is_replaced_for_the_next_client(ring):
    postfix = ring.build()
    without_cache(ring, postfix)
    postfix.start()
    passes(postfix, subject="first")
    held = postfix.connect("127.0.0.9")
    assert held.line() == TEASER
    postfix.log.expect(KILLED)
    os.kill(postfix.screener_pid(), signal.SIGKILL)
    assert held.end() == b""
    with postfix.connect("127.0.0.4") as client:
        assert client.line(timeout=5) == TEASER
        assert client.line() == GREETING
        client.deliver(subject="second")
    postfix.wait_for_mail("second")


@pytest.mark.own
def test_killed_screener_loses_no_older_pass(ring):
    """At most the last second of passes may be lost."""
    postfix = ring.start()
    passes(postfix, source="127.0.0.2", subject="older")
    # The greet wait of this one is the second that may be lost.
    passes(postfix, source="127.0.0.3", subject="newer")
    postfix.log.expect(KILLED)
    os.kill(postfix.screener_pid(), signal.SIGKILL)
    passes(postfix, PASS_OLD, source="127.0.0.2", subject="again")


def prove_smtpd(postfix):
    """Let master(8) know that smtpd is fit for work.

    One that is killed in its first session, as far as master(8) has noticed,
    counts as a failed start, and the next one comes a minute later. The second
    mail is delivered by daemons that master(8) starts or watches, so that it
    has read what smtpd told it after the first."""
    for subject in "before", "before that":
        with postfix.connect() as client:
            client.expect(GREETING)
            client.deliver(subject=subject)
        postfix.wait_for_mail(subject)


def test_killed_smtpd_costs_one_session(ring):
    postfix = ring.start(postscreen_access_list="static:permit")
    prove_smtpd(postfix)
    victim = postfix.connect("127.0.0.3")
    victim.expect(GREETING)
    postfix.log.expect(KILLED)
    for pid in postfix.pids("smtpd"):
        os.kill(pid, signal.SIGKILL)
    assert victim.end() == b""
    with postfix.connect("127.0.0.4") as client:
        client.expect(GREETING)
        client.deliver(subject="after")
    postfix.wait_for_mail("after")


def test_killed_smtpd_leaves_waiting_hand_offs_to_the_next(ring):
    postfix = ring.build(postscreen_access_list="static:permit")
    postfix.smtpd_maxproc = "1"
    postfix.start()
    prove_smtpd(postfix)
    blocker = postfix.connect("127.0.0.3")
    blocker.expect(GREETING)
    waiting = [postfix.connect("127.0.4.%d" % n) for n in range(1, 6)]
    for client in waiting:
        postfix.log.tells(client, CONNECT, "ALLOWLISTED C")
    postfix.log.expect(KILLED)
    os.kill(postfix.pids("smtpd")[0], signal.SIGKILL)
    for n, client in enumerate(waiting):
        client.expect(GREETING)
        client.deliver(subject="mail %d" % n)
        postfix.wait_for_mail("mail %d" % n)
    blocker.close()


def test_listener_is_not_left_behind(ring):
    """After a stop, with sessions still draining, nobody holds the port."""
    postfix = ring.build(postscreen_greet_wait="20s")
    without_cache(ring, postfix)
    postfix.start()
    held = postfix.connect()
    assert held.line() == TEASER
    pid = postfix.screener_pid()
    postfix.reload()
    gone(pid)
    postfix.stop()

    until(lambda: refuses(postfix.port), "a closed port")
    held.close()
    postfix.start()
    for n in range(20):
        with postfix.connect("127.0.8.%d" % (n + 1)) as client:
            assert client.line() == TEASER
