# SPDX-License-Identifier: ISC
"""What can go wrong: each fault breaks a part, waits until that shows, and
mends it. A `harmless` one may cost nobody a connection; one with `refuses_mail`
may give a good message a 5xx; one that `kills` ends a process that had no time
to count its sessions, or takes the counters away; one that `crashes` does so by
a signal that is nobody's."""

import contextlib
import os
import shutil
import signal
import subprocess

import processes
from client import refuses
from dns import Scripted
from house import say
from waiting import TooLate, until

CONNECTIONS = "connections_total"
FAULTS = []


def fault(harmless=False, refuses_mail=False, kills=False, crashes=False):
    """Register a fault; its docstring is what the report says."""

    def register(break_and_mend):
        break_and_mend.harmless = harmless
        break_and_mend.refuses_mail = refuses_mail
        break_and_mend.crashes = crashes
        break_and_mend.kills = kills or crashes
        break_and_mend.title = break_and_mend.__name__.replace("_", " ")
        FAULTS.append(break_and_mend)
        return break_and_mend

    return register


def _another(house, pid):
    """Wait until another process is in service."""
    until(
        lambda: house.postfix.pids(house.postfix.program) not in ([], [pid]),
        "a process after %d" % pid,
        40,
    )


def _each(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def _clients_come(house, n):
    """That many more are accepted."""
    before = until(house.status, "an answer")
    until(
        lambda: (house.status() or before)["counters"][CONNECTIONS]
        >= before["counters"][CONNECTIONS] + n,
        "%d clients" % n,
    )


def _set_limit(pid, what, value):
    """prlimit(1) as the user of the process: we may lack CAP_SYS_RESOURCE."""
    subprocess.run(
        ["prlimit", "--pid=%d" % pid, "--%s=%s:" % (what, value)],
        user=int(processes.status(pid, "Uid")[0]),
        group=int(processes.status(pid, "Gid")[0]),
        extra_groups=[],
        check=True,
    )


@contextlib.contextmanager
def _limited(pid, what, name, value):
    """The soft limit is lower, and then what it was."""
    before = processes.limit(pid, name)
    _set_limit(pid, what, value)
    try:
        yield
    finally:
        if processes.is_alive(pid):
            _set_limit(pid, what, before)


# --- the screener ------------------------------------------------------------
@fault(harmless=True)
def reload_by_postfix(house):
    """postfix reload, three times."""
    for _ in range(3):
        pid = house.pid()
        house.postfix.reload()
        _another(house, pid)
        house.delivers(1)


@fault(harmless=True)
def reload_by_doorbellctl(house):
    """doorbellctl reload, three times."""
    for _ in range(3):
        pid = house.pid()
        # One that has only just begun says so.
        until(lambda: _ordered(house, "reload"), "a reload")
        _another(house, pid)
        house.delivers(1)


def _ordered(house, *words):
    try:
        house.ctl(*words)
    except AssertionError:
        return False
    return True


@fault(harmless=True)
def drained(house):
    """doorbellctl drain."""
    pid = house.pid()
    until(lambda: _ordered(house, "drain"), "a drain")
    _another(house, pid)


@fault(harmless=True)
def fork_fails(house):
    """A reload when no process can be made."""
    pid = house.pid()
    mark = house.log.mark()
    with _limited(pid, "nproc", "Max processes", 0):
        until(lambda: _ordered(house, "reload"), "a reload")
        house.log.wait_for(r"warning: fork: .*", after=mark)
    _another(house, pid)


@fault(kills=True)
def screener_killed(house):
    """kill -9 of doorbelld."""
    pid = house.pid()
    mark = house.log.mark()
    os.kill(pid, signal.SIGKILL)
    house.log.wait_for(r".* pid %d killed by signal 9" % pid, after=mark)
    _another(house, pid)


@fault()
def screener_terminated(house):
    """SIGTERM of doorbelld."""
    pid = house.pid()
    os.kill(pid, signal.SIGTERM)
    _another(house, pid)


@fault(harmless=True)
def screener_frozen(house):
    """SIGSTOP of doorbelld for less than its watchdog bears."""
    pid = house.pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        with house.postfix.connect("127.0.9.1") as client:
            client.pause(3)
            assert client.silent(), "a stopped process speaks"
            os.kill(pid, signal.SIGCONT)
            client.line()
    finally:
        os.kill(pid, signal.SIGCONT)


@fault(kills=True)
def screener_frozen_for_long(house):
    """SIGSTOP of doorbelld until its watchdog strikes."""
    pid = house.pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        until(
            lambda: processes.has_pending(pid, signal.SIGALRM), "the watchdog"
        )
    finally:
        os.kill(pid, signal.SIGCONT)
    _another(house, pid)


@fault()
def descriptors_run_out(house):
    """Not one more descriptor for doorbelld."""
    pid = house.pid()
    mark = house.log.mark()
    used = processes.descriptors(pid)
    with _limited(pid, "nofile", "Max open files", used):
        house.log.wait_for(
            r"SHED after .*|warning: accepting connections rests .*",
            after=mark,
        )


@fault(harmless=True)
def zombies_by_the_hundred(house):
    """Twice as many silent clients as there is room for."""
    mark = house.log.mark()
    batches = [
        house.zombies(n, network, 60)
        for n, network in ((300, "127.62.100.0"), (200, "127.70.0.0"))
    ]
    house.log.wait_for(r"SHED after .*", after=mark, timeout=60)
    house.delivers()
    for batch in batches:
        batch.close()
        house.crowds.remove(batch)


@fault(harmless=True)
def control_socket_removed(house):
    """Somebody deletes the control socket."""
    os.unlink(house.postfix.own["doorbell_control_socket"])
    assert house.status() is None
    house.delivers(1)
    pid = house.pid()
    house.postfix.reload()
    _another(house, pid)
    until(house.status, "a new control socket")


@fault()
def configuration_broken(house):
    """A reload with a mistake in doorbell.cf."""
    mark = house.log.mark()
    house.postfix.own["doorbell_greet_wait"] = "soon"
    try:
        house.postfix.reload()
        house.log.wait_for("error: the configuration has errors", after=mark)
    finally:
        del house.postfix.own["doorbell_greet_wait"]
        house.postfix.reload()


@fault(harmless=True)
def table_broken(house):
    """A mistake in the access list, noticed while clients are served."""
    mark = house.log.mark()
    house.postfix.file("access.cidr", "this is no network\n")
    house.log.wait_for(r".*the old contents stay in force", after=mark)
    house.delivers(1)
    before = until(house.status, "an answer")["counters"]
    house.postfix.file("access.cidr", house.ACCESS)
    until(
        lambda: house.status()["counters"]["table_reloads_total"]
        > before["table_reloads_total"],
        "the mended table",
    )


# --- Postfix -----------------------------------------------------------------
@fault()
def smtpds_killed(house):
    """kill -9 of every smtpd, five times."""
    for _ in range(5):
        pids = until(lambda: house.postfix.pids("smtpd"), "an smtpd")
        _each(pids, signal.SIGKILL)
        until(
            lambda: set(house.postfix.pids("smtpd")) - set(pids),
            "new smtpds",
        )


@fault()
def smtpds_killed_before_their_reply(house):
    """The message is in the queue, and its sender does not know."""

    def are_waiting():
        """Who is that far now: later ones do not get a cleanup that answers
        RCPT."""
        cleanups = house.postfix.pids("cleanup")
        _each(cleanups, signal.SIGSTOP)
        try:
            until(
                lambda: house.ledger.waiting_for_250() >= 2,
                "final dots",
                timeout=1,
            )
            _each(house.postfix.pids("smtpd"), signal.SIGKILL)
        except TooLate:
            return False
        finally:
            _each(cleanups, signal.SIGCONT)
        return True

    until(are_waiting, "two final dots", timeout=60)


@fault()
def smtpds_frozen(house):
    """SIGSTOP of every smtpd until clients wait for one."""
    pids = until(lambda: house.postfix.pids("smtpd"), "an smtpd")
    _each(pids, signal.SIGSTOP)
    try:
        until(
            lambda: (house.status() or {"handoffs": {"in_flight": 0}})[
                "handoffs"
            ]["in_flight"]
            > 1,
            "clients that wait for smtpd",
        )
    finally:
        _each(pids, signal.SIGCONT)


@fault()
def smtpd_socket_gone(house):
    """private/smtpd is not there."""
    path = os.path.join(house.postfix.queue, "private", "smtpd")
    mark = house.log.mark()
    os.rename(path, path + ".away")
    try:
        house.log.wait_for(
            r"warning: cannot connect to service private/smtpd: .*", after=mark
        )
    finally:
        os.rename(path + ".away", path)


@fault()
def postfix_stopped(house):
    """postfix stop, and start."""
    house.postfix.stop()
    until(lambda: refuses(house.postfix.port), "a closed door")
    house.postfix.start()


@fault()
def master_killed(house):
    """kill -9 of master(8), and a new one."""
    house.postfix.kill()
    house.postfix.start()


# --- DNS lists ---------------------------------------------------------------
@fault(harmless=True)
def name_server_gone(house):
    """rbldnsd is killed; mail goes on."""
    house.lists.kill()
    try:
        house.delivers()
    finally:
        house.lists.start()


@fault(harmless=True)
def name_server_mute(house):
    """rbldnsd is stopped, and answers nothing."""
    house.lists.freeze()
    try:
        house.delivers()
    finally:
        house.lists.thaw()


def _with_liar(house, lies, work):
    house.lists.kill()
    liar = Scripted(house.lists.port, lies)
    try:
        work()
    finally:
        liar.kill()
        house.lists.start()


@fault(harmless=True)
def name_server_lies(house):
    """Garbled, foreign, failed and forbidden answers, in turns."""
    lies = (
        "garbled",
        "alien",
        "servfail",
        ("truncated", ()),
        ["127.255.255.254"],
        ["93.184.216.34"],
    )
    asked = iter(range(1 << 30))
    _with_liar(
        house,
        lambda name: lies[next(asked) % len(lies)],
        lambda: house.delivers(3),
    )


@fault(refuses_mail=True)
def name_server_lists_everybody(house):
    """The list names the whole internet, until its self-test finds out."""
    mark = house.log.mark()

    def until_found_out():
        house.log.wait_for(
            r"warning: DNS list bl.test is not used: .*", after=mark
        )
        house.delivers(1)

    _with_liar(house, lambda name: ["127.0.0.2"], until_found_out)
    house.log.wait_for(r"DNS list bl.test is used again", after=mark)


# --- the log -----------------------------------------------------------------
@fault()
def log_frozen(house):
    """postlogd reads nothing: its socket fills up."""
    pids = until(lambda: house.postfix.pids("postlogd"), "postlogd")
    _each(pids, signal.SIGSTOP)
    try:
        _clients_come(house, 60)
    finally:
        _each(pids, signal.SIGCONT)


@fault()
def log_killed(house):
    """kill -9 of postlogd."""
    pids = until(lambda: house.postfix.pids("postlogd"), "postlogd")
    _each(pids, signal.SIGKILL)
    until(
        lambda: set(house.postfix.pids("postlogd")) - set(pids),
        "a new postlogd",
    )


@fault()
def log_socket_gone(house):
    """public/postlog is not there, and comes back."""
    path = os.path.join(house.postfix.queue, "public", "postlog")
    os.rename(path, path + ".away")
    try:
        _clients_come(house, 40)
    finally:
        os.rename(path + ".away", path)
    house.log.wait_for("CONNECT from .*", after=house.log.mark())


# --- the cache ---------------------------------------------------------------
@fault(harmless=True)
def disk_full(house):
    """Not one byte left where the cache is."""
    if house.disk is None:
        say("(no disk may be mounted here: nothing is filled)")
        return
    path = os.path.join(house.disk, "filler")
    mark = house.log.mark()
    try:
        with open(path, "wb", buffering=0) as f:
            try:
                while f.write(bytes(4096)):
                    pass
            except OSError:
                pass
        # Many newcomers to remember.
        batch = house.strangers(1000, "127.71.0.0", 60)
        house.log.wait_for(
            "warning: cache .* is full .*", after=mark, timeout=60
        )
        house.delivers()
    finally:
        os.unlink(path)
    report = batch.wait()
    house.crowds.remove(batch)
    assert report["greeted"] == report["n"], report


@fault(crashes=True)
def cache_truncated(house):
    """The file shrinks under the feet of the process.

    The kernel says SIGBUS to who reads what was there; the next process sets
    the file aside."""
    os.truncate(house.cache, os.path.getsize(house.cache) // 8192 * 4096)
    house.delivers(3)


@fault(harmless=True)
def cache_deleted(house):
    """The files are deleted while they are open."""
    for path in house.cache_files():
        os.unlink(path)
    house.delivers()
    pid = house.pid()
    house.postfix.reload()
    _another(house, pid)


def _while_stopped(house, spoil):
    house.postfix.stop()
    until(lambda: not house.screeners(), "the end of all screeners", 60)
    spoil()
    house.postfix.start()
    house.delivers(1)


@fault()
def cache_overwritten(house):
    """The file is full of something else at the start."""

    def spoil():
        with open(house.cache, "r+b") as f:
            size = os.path.getsize(house.cache)
            f.write(house.random.randbytes(size))

    _while_stopped(house, spoil)


@fault()
def cache_cut_off(house):
    """The file has lost its end at the start."""
    _while_stopped(
        house,
        lambda: os.truncate(
            house.cache, os.path.getsize(house.cache) * 2 // 3 + 17
        ),
    )


@fault()
def cache_of_another_user(house):
    """The file may not be read, and is given back."""

    def lock():
        os.chown(house.cache, 0, 0)
        os.chmod(house.cache, 0o600)

    _while_stopped(house, lock)
    pid = house.pid()
    shutil.chown(house.cache, house.OWNER)
    house.postfix.reload()
    _another(house, pid)


# --- the counters ------------------------------------------------------------
@fault(kills=True)
def counters_overwritten(house):
    """Their file is full of something else at the start."""

    def spoil():
        path = os.path.join(house.postfix.data, "doorbell_counters")
        with open(path, "r+b") as f:
            f.write(house.random.randbytes(os.path.getsize(path)))

    _while_stopped(house, spoil)


@fault(kills=True)
def counters_cut_off(house):
    """Their file is half as long at the start."""

    def spoil():
        path = os.path.join(house.postfix.data, "doorbell_counters")
        os.truncate(path, os.path.getsize(path) // 2)

    _while_stopped(house, spoil)
