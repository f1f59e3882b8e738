# SPDX-License-Identifier: ISC
"""What the process that faces the network may do. That everything works in the
sandbox is shown by the whole ring, which runs in it."""

import pytest

import processes
from scripts import GREETING, PASS_NEW, TEASER, passes
from waiting import until

FILTERED = "2"


def confined(pid):
    return processes.status(pid, "Seccomp") == [FILTERED]


def without_privileges(pid):
    return (
        "0" not in processes.status(pid, "Uid") + processes.status(pid, "Gid")
        and all(
            int(processes.status(pid, kind)[0], 16) == 0
            for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb")
        )
        and processes.status(pid, "NoNewPrivs") == ["1"]
    )


def unless_watched(pid):
    """Instruments of a sanitizer need more than the sandbox allows."""
    if processes.has_sanitizer(pid):
        pytest.skip("instrumented")


@pytest.mark.standalone
def test_standalone(ring):
    bell = ring.standalone(ring.start()).start()
    unless_watched(bell.pid)
    passes(bell, PASS_NEW)
    assert confined(bell.pid) and without_privileges(bell.pid)


@pytest.mark.standalone
@pytest.mark.parametrize("how,filtered", [("no", "0"), ("log", FILTERED)])
def test_other_ways(ring, how, filtered):
    bell = ring.standalone(ring.start(), doorbell_sandbox=how).start()
    unless_watched(bell.pid)
    passes(bell, PASS_NEW)
    assert processes.status(bell.pid, "Seccomp") == [filtered]
    assert without_privileges(bell.pid)


@pytest.mark.own
def test_under_master_and_its_draining_child(ring):
    postfix = ring.start(postscreen_greet_wait="3s")
    with postfix.connect() as client:
        assert client.line() == TEASER
        first = postfix.screener_pid()
        unless_watched(first)
        assert confined(first) and without_privileges(first)
        postfix.reload()
        (child,) = until(postfix.drainers, "the draining process")
        assert confined(child) and without_privileges(child)
        assert client.line() == GREETING
        client.deliver(subject="held")
    postfix.wait_for_mail("held")
