# SPDX-License-Identifier: ISC
"""Parts that fail while clients are there."""

import os
import signal
import subprocess

import pytest

import processes
from client import refuses
from scripts import CONNECT, GREETING, PASS_NEW, PASS_OLD, TEASER, passes
from test_lifecycle import gone
from test_relay import DEEP, greeted, to_data
from test_starttls import make_key
from waiting import until

pytestmark = [pytest.mark.own, pytest.mark.lifecycle]


def set_processes_max(pid, value):
    """prlimit(1) as the user of the process: we may lack CAP_SYS_RESOURCE."""
    subprocess.run(
        ["prlimit", "--pid=%d" % pid, "--nproc=%s:" % value],
        user=int(processes.status(pid, "Uid")[0]),
        group=int(processes.status(pid, "Gid")[0]),
        extra_groups=[],
        check=True,
    )


def test_fork_that_fails_at_a_reload_loses_nobody(ring):
    postfix = ring.start(postscreen_greet_wait="3s")
    held = postfix.connect("127.0.0.2")
    assert held.line() == TEASER
    pid = postfix.screener_pid()
    set_processes_max(pid, 0)
    postfix.log.expect(r"warning: fork: .*")
    postfix.reload()
    postfix.log.wait_for(
        r"warning: fork: .*; new clients wait until 1 sessions have ended"
    )
    assert processes.is_alive(pid)
    # Nobody listens; the kernel keeps the next client for the next process.
    new = postfix.connect("127.0.0.3")
    assert held.line() == GREETING
    held.deliver(subject="held")
    assert new.line() == TEASER
    assert new.line() == GREETING
    new.deliver(subject="new")
    gone(pid)
    for client, subject in (held, "held"), (new, "new"):
        postfix.log.tells(client, CONNECT, PASS_NEW)
        postfix.wait_for_mail(subject)


def test_fork_that_fails_once_is_tried_again(ring):
    postfix = ring.start(postscreen_greet_wait="6s")
    held = postfix.connect("127.0.0.2")
    assert held.line() == TEASER
    pid = postfix.screener_pid()
    before = processes.limit(pid, "Max processes")
    set_processes_max(pid, 0)
    postfix.log.expect(r"warning: fork: .*")
    postfix.reload()
    postfix.log.wait_for(r"warning: fork: .*")
    set_processes_max(pid, before)
    gone(pid)
    assert held.silent(), "it was not the end of the session that ended it"
    passes(postfix, source="127.0.0.3", subject="new")
    assert held.line() == GREETING
    held.deliver(subject="held")
    postfix.wait_for_mail("held")


def test_smtpd_that_master_throttles_is_waited_for(ring):
    postfix = ring.build(
        postscreen_access_list="static:permit",
        service_throttle_time="1s",
        smtpd_error_sleep_time="never",
    )
    postfix.start()
    postfix.log.expect(r"fatal: .*smtpd_error_sleep_time.*")
    postfix.log.expect(r"warning: process .*smtpd pid \d+ exit status 1")
    postfix.log.expect(r"warning: .*smtpd: bad command startup.*")
    waiting = [postfix.connect("127.0.4.%d" % n) for n in range(1, 6)]
    postfix.log.wait_for(r"warning: .*smtpd: bad command startup.*")
    for client in waiting:
        postfix.log.tells(client, CONNECT, "ALLOWLISTED C")
        assert client.silent()
    del postfix.main["smtpd_error_sleep_time"]
    postfix.reload()
    for n, client in enumerate(waiting):
        client.expect(GREETING)
        client.deliver(subject="mail %d" % n)
        postfix.wait_for_mail("mail %d" % n)


def test_master_killed(ring):
    """Its last client is told to come back, and is known then."""
    postfix = ring.start(postscreen_greet_wait="3s")
    passes(postfix, source="127.0.0.2", subject="before")
    held = postfix.connect("127.0.0.3")
    assert held.line() == TEASER
    pid = postfix.screener_pid()
    postfix.log.expect(r"warning: cannot connect to service .*")
    postfix.log.expect(r"warning: cannot pass connection to service .*")
    postfix.kill()
    gone(pid)
    until(lambda: refuses(postfix.port), "a closed door")
    # There is no smtpd, so that is said by the process that drains.
    assert held.line() == GREETING
    assert held.ask("EHLO a").code == 421
    assert held.end() == b""
    postfix.start()
    passes(postfix, PASS_OLD, source="127.0.0.2", subject="after")
    passes(postfix, PASS_OLD, source="127.0.0.3", subject="again")


class Phases:
    """A client in each phase."""

    def __init__(self, ring):
        # The only smtpd is that of the relayed client.
        postfix = ring.build(
            postscreen_greet_wait="2s",
            postscreen_denylist_action="enforce",
            postscreen_upstream_proxy_protocol="haproxy",
            smtpd_tls_security_level="may",
            own={"doorbell_proxy_networks": "127.0.6.0/24"},
            **DEEP
        )
        access = "127.0.4.0/24 permit\n127.0.5.0/24 reject\n"
        postfix.main["postscreen_access_list"] = "cidr:" + postfix.file(
            "access.cidr", access
        )
        key = make_key(postfix, "usual")
        postfix.main["smtpd_tls_cert_file"] = key + ".pem"
        postfix.main["smtpd_tls_key_file"] = key + ".key"
        postfix.smtpd_maxproc = "1"
        self.postfix = postfix.start()
        self.relayed = greeted(postfix)
        to_data(self.relayed, "never")
        self.refused = greeted(postfix, "127.0.5.1")
        assert self.refused.ask("EHLO a").code == 250
        self.shaking = greeted(postfix, "127.0.5.2")
        assert self.shaking.ask("EHLO a").code == 250
        assert self.shaking.ask("STARTTLS").code == 220
        self.waiting = postfix.connect("127.0.4.1")
        postfix.log.tells(self.waiting, CONNECT, "ALLOWLISTED C")
        self.proxy = postfix.connect("127.0.6.1")
        self.watched = postfix.connect("127.0.0.9")
        assert self.watched.line() == TEASER


def test_sigterm_with_a_client_in_each_phase(ring):
    here = Phases(ring)
    postfix = here.postfix
    pid = postfix.screener_pid()
    os.kill(pid, signal.SIGTERM)
    gone(pid)
    for client in here.watched, here.refused, here.proxy:
        assert client.reply().code == 421
        assert client.end() == b""
    # No reply could be told from what TLS would say.
    assert here.shaking.end() == b""
    # smtpd had not seen the final dot.
    assert here.relayed.end() == b""
    # What was handed over is smtpd's.
    here.waiting.expect(GREETING)
    here.waiting.deliver(subject="waited")
    postfix.wait_for_mail("waited")
    until(lambda: not postfix.drainers(), "the end of all processes")
    # Nor is what it had learnt lost.
    passes(postfix, PASS_OLD, subject="after")
