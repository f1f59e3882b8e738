# SPDX-License-Identifier: ISC
"""Under master(8): root or jail, addresses, arguments, identity."""

import os
import pwd
import re
import signal

import pytest

import processes
from logs import Log
from scripts import (
    BUSY,
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

NO_SMTPD = (
    "warning: cannot connect to service private/smtpd: "
    "No such file or directory"
)


@pytest.mark.parametrize("chroot", ["y", "n"])
def test_everything_works_in_the_jail_and_out_of_it(ring, chroot):
    postfix = ring.build()
    postfix.chroot = chroot
    postfix.start()
    passes(postfix, PASS_NEW, subject="first")
    passes(postfix, PASS_OLD, subject="second")
    pid = postfix.screener_pid()
    root = os.readlink("/proc/%d/root" % pid)
    assert root == (postfix.queue if chroot == "y" else "/")
    postfix.wait_for_mail("first")
    postfix.wait_for_mail("second")


@pytest.mark.dnsbl
@pytest.mark.own
def test_jail_looks_up_names_too(ring):
    """Name servers were read before the root was changed."""
    from dns import Zone, listed

    ring.lists(Zone("bl.test", listed("127.0.0.5")))
    postfix = ring.build(
        postscreen_dnsbl_sites="bl.test", postscreen_dnsbl_action="drop"
    )
    postfix.chroot = "y"
    postfix.start()
    with postfix.connect("127.0.0.5") as client:
        assert client.reply().code == 521


def test_privileges_are_gone(ring):
    postfix = ring.start()
    passes(postfix)
    pid = postfix.screener_pid()
    owner = pwd.getpwnam("postfix")
    assert processes.status(pid, "Uid") == [str(owner.pw_uid)] * 4
    assert processes.status(pid, "Gid") == [str(owner.pw_gid)] * 4
    assert processes.status(pid, "CapEff") == ["0000000000000000"]


def test_one_process_serves_ipv4_and_ipv6(ring):
    postfix = ring.start()
    passes(postfix, PASS_NEW, subject="four")
    pid = postfix.screener_pid()
    passes(postfix, PASS_NEW, subject="six", host="::1")
    passes(postfix, PASS_OLD, subject="six again", host="::1")
    assert postfix.pids(postfix.program) == [pid]
    text = postfix.wait_for_mail("six")
    assert "Received: from client.test (unknown [IPv6:::1])" in text


def test_arguments_of_master_cf_come_last(ring):
    postfix = ring.build(postscreen_greet_banner="from main.cf")
    postfix.arguments = "-o { postscreen_greet_banner = from master.cf }"
    postfix.start()
    with postfix.connect() as client:
        client.expect("220-from master.cf", GREETING)


@pytest.mark.own
def test_own_parameters_come_before_the_inherited(ring):
    postfix = ring.start(
        own={"doorbell_greet_banner": "from doorbell.cf"},
        postscreen_greet_banner="from main.cf",
    )
    with postfix.connect() as client:
        client.expect("220-from doorbell.cf", GREETING)


def test_syslog_name_makes_the_tag(ring):
    postfix = ring.start(syslog_name="ring/one")
    postfix.log = Log(postfix.log.path, "ring/one/postscreen")
    passes(postfix)


@pytest.mark.own
def test_log_name_makes_the_other_half_of_the_tag(ring):
    postfix = ring.start(own={"doorbell_log_name": "bell"})
    postfix.log = Log(postfix.log.path, "postfix/bell")
    passes(postfix)


@pytest.mark.own
def test_first_line_tells_which_program_it_is(ring):
    postfix = ring.start()
    passes(postfix)
    mine = [
        line.text for line in postfix.log.lines if line.tag == postfix.log.tag
    ]
    assert mine[0].startswith("doorbelld ") and " starting" in mine[0]


@pytest.mark.parametrize("command", ["EHLO", "QUIT"])
def test_missing_smtpd_after_the_teaser(ring, command):
    """The greeting is finished, the first command is answered with 421."""
    postfix = ring.build()
    postfix.without = ("smtpd",)
    postfix.start()
    postfix.log.expect(NO_SMTPD)
    with postfix.connect() as client:
        client.expect(TEASER, GREETING)
        if command == "QUIT":
            client.ask("QUIT", "221 2.0.0 Bye")
        else:
            client.ask("EHLO a", "421 4.3.2 No system resources")
        assert client.end() == b""
    story = [CONNECT, PASS_NEW, DISCONNECT]
    if not ring.screener.is_doorbelld:  # always a DISCONNECT
        story.insert(2, PASS_OLD)
    postfix.log.tells(client, *story)
    postfix.log.wait_for(NO_SMTPD)


def test_missing_smtpd_without_a_teaser(ring):
    postfix = ring.build(postscreen_access_list="static:permit")
    postfix.without = ("smtpd",)
    postfix.start()
    postfix.log.expect(NO_SMTPD)
    with postfix.connect() as client:
        client.expect(BUSY)
        assert client.end() == b""
    story = [CONNECT, "ALLOWLISTED C"]
    if ring.screener.is_doorbelld:  # always a DISCONNECT
        story.append(DISCONNECT)
    postfix.log.tells(client, *story)
    postfix.log.wait_for(NO_SMTPD)


def test_bad_parameter_value_stops_the_start_and_says_which(ring):
    postfix = ring.start(postscreen_greet_action="perhaps")
    postfix.log.expect(r"(error|fatal): .*")
    postfix.log.expect(r"warning: .*(exit status 1|bad command startup.*)")
    with postfix.connect():
        postfix.log.wait_for(r"(error|fatal): .*perhaps.*")
        postfix.log.wait_for(r"warning: .*bad command startup -- throttling")


# --- the pass cache ------------------------------------------------------------
def test_cache_outlives_the_process_and_belongs_to_the_mail_owner(ring):
    postfix = ring.start()
    passes(postfix, PASS_NEW, subject="first")
    postfix.end()
    owner = pwd.getpwnam("postfix").pw_uid
    files = os.listdir(postfix.data)
    assert any(
        name.startswith(ring.screener.name.rstrip("d")) for name in files
    ), files
    for name in files:
        if "lock" not in name or ring.screener.is_doorbelld:
            path = os.path.join(postfix.data, name)
            assert os.stat(path).st_uid == owner, name
    postfix.start()
    passes(postfix, PASS_OLD, subject="second")


def test_expired_pass_is_tested_again_and_stays_old(ring):
    postfix = ring.start(postscreen_greet_ttl="1s")
    passes(postfix, PASS_NEW, subject="first")

    def expired():
        client = postfix.connect()
        if client.line() == TEASER:
            return client
        client.close()
        return None

    client = until(expired, "the end of the pass")
    assert client.line() == GREETING
    client.deliver(subject="second")
    postfix.log.tells(client, CONNECT, PASS_OLD)


def test_sweep_of_the_cache_is_logged_at_start(ring):
    postfix = ring.start()
    passes(postfix)
    name = (
        "lmdb:%s/doorbell_cache"
        if ring.screener.is_doorbelld
        else "btree:%s/postscreen_cache"
    )
    postfix.log.wait_for(
        "cache "
        + name % postfix.data
        + " full cleanup: retained=0 dropped=0 entries"
    )


SWEEP = "cache .* full cleanup: retained=%d dropped=%d entries"


def remembered_once(ring, **main):
    """One client has passed, for a second; sweeps come every two."""
    postfix = ring.start(
        postscreen_greet_ttl="1s",
        postscreen_cache_cleanup_interval="2s",
        **main
    )
    passes(postfix)
    return postfix


def test_record_is_dropped_when_its_retention_is_over(ring):
    postfix = remembered_once(ring, postscreen_cache_retention_time="1s")
    postfix.log.wait_for(SWEEP % (0, 1))
    postfix.log.wait_for(SWEEP % (0, 0), count=2)


def test_record_is_retained_when_its_last_test_has_expired(ring):
    postfix = remembered_once(ring)
    postfix.log.wait_for(SWEEP % (1, 0), count=3)
    assert not postfix.log.find(SWEEP % (0, 1))


def test_without_an_interval_there_is_no_sweep(ring):
    postfix = ring.start(postscreen_cache_cleanup_interval="0")
    passes(postfix)
    assert not postfix.log.find("cache .* cleanup: .*")


@pytest.mark.stops
@pytest.mark.own  # postscreen takes no notice of one alarm
def test_watchdog_ends_a_loop_that_stands_still(ring):
    """A stopped process is as still as a loop that never returns."""
    hasty = ring.start(postscreen_watchdog_timeout="10s")
    patient = ring.start(postscreen_watchdog_timeout="30s")
    pids = {}
    for postfix in hasty, patient:
        passes(postfix, PASS_NEW, subject="first")
        pids[postfix] = postfix.screener_pid()
        os.kill(pids[postfix], signal.SIGSTOP)
    gone = pids[hasty]
    until(lambda: processes.has_pending(gone, signal.SIGALRM), "the alarm")
    hasty.log.expect("fatal: watchdog timeout")
    hasty.log.expect(
        r"warning: process \S+ pid %d killed by signal %d"
        % (gone, signal.SIGALRM)
    )
    for postfix in hasty, patient:
        os.kill(pids[postfix], signal.SIGCONT)
        passes(postfix, PASS_NEW, source="127.0.0.3", subject="second")
    assert hasty.screener_pid() != gone
    assert patient.screener_pid() == pids[patient]
    hasty.log.refresh()
    last_words = [line.text for line in hasty.log.lines if line.pid == gone]
    assert last_words[-1] == "fatal: watchdog timeout"
    assert patient.log.find(r".*watchdog.*") == []


def test_without_a_cache_everybody_is_new(ring):
    postfix = ring.start(
        own={"doorbell_cache_map": ""}, postscreen_cache_map=""
    )
    passes(postfix, PASS_NEW, subject="first")
    passes(postfix, PASS_NEW, subject="second")


@pytest.mark.own
def test_corrupt_cache_is_set_aside(ring):
    postfix = ring.build()
    path = os.path.join(postfix.data, "doorbell_cache")
    with open(path, "wb") as f:
        f.write(b"this is no database\n" * 4096)
    os.chown(path, pwd.getpwnam("postfix").pw_uid, -1)
    postfix.start()
    postfix.log.expect(r"warning: cache.*")
    passes(postfix, PASS_NEW, subject="first")
    postfix.log.wait_for(r"warning: cache.*")
    passes(postfix, PASS_OLD, subject="second")
    assert "doorbell_cache.broken" in os.listdir(postfix.data)


@pytest.mark.own
@pytest.mark.parametrize("place", ["nowhere/cache", "directory", "unwritable"])
def test_cache_that_cannot_be_written_costs_only_memory(ring, place):
    postfix = ring.build()
    path = os.path.join(postfix.data, place)
    if place == "directory":
        os.mkdir(path)
    elif place == "unwritable":
        path = "/proc/cache"
    postfix.own["doorbell_cache_map"] = "lmdb:" + path
    postfix.start()
    postfix.log.expect(r"warning: cache.*")
    passes(postfix, PASS_NEW, subject="first")
    postfix.log.wait_for(r"warning: cache.*")
    passes(postfix, PASS_NEW, subject="second")


def test_smtpd_is_told_address_and_port(ring):
    postfix = ring.start(smtpd_client_port_logging="yes")
    for host in "127.0.0.1", "::1":
        client = passes(postfix, host=host, subject=host)
        postfix.log.wait_for(
            r"connect from unknown\[%s\]:%d"
            % (re.escape(client.address), client.port),
            tag="postfix/smtpd",
        )


@pytest.mark.stops
@pytest.mark.own
def test_frozen_log_daemon_stops_nobody(ring):
    """Lines wait, in a queue with a limit, and come when it is back."""
    postfix = ring.start(
        postscreen_access_list="static:reject",
        postscreen_denylist_action="enforce",
        postscreen_greet_banner="",
    )
    with postfix.connect() as client:
        client.expect(GREETING)
    postfix.log.wait_for(r"DISCONNECT \S+")
    log_daemon = postfix.pids("postlogd")[0]
    os.kill(log_daemon, signal.SIGSTOP)
    try:
        for n in range(40):
            with postfix.connect("127.0.12.%d" % (n + 1)) as client:
                client.expect(GREETING)
                refused(client, "550 5.3.2 Service currently unavailable")
    finally:
        os.kill(log_daemon, signal.SIGCONT)
    postfix.log.wait_for(r"DISCONNECT \[127\.0\.12\.\d+\]:\d+", count=40)
