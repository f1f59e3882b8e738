# SPDX-License-Identifier: ISC
"""doorbelld without master(8), in front of the same smtpd."""

import pwd
import subprocess
import time

import pytest

import processes
from client import refuses
from ctl import Ctl
from dns import Zone, listed
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
from waiting import until

pytestmark = pytest.mark.standalone


def deliver_to(postfix, bell, verdict, subject, **where):
    client = passes(bell, verdict, subject=subject, **where)
    text = postfix.wait_for_mail(subject)
    assert (
        "Received: from client.test (unknown [%s%s])"
        % ("IPv6:" if ":" in client.address else "", client.address)
        in text
    )


def test_stranger_and_known_client(ring):
    postfix = ring.start()
    bell = ring.standalone(postfix).start()
    deliver_to(postfix, bell, PASS_NEW, "first")
    deliver_to(postfix, bell, PASS_OLD, "second")
    deliver_to(postfix, bell, PASS_NEW, "six", host="::1")
    deliver_to(postfix, bell, PASS_OLD, "six again", host="::1")


def test_lists_are_logged_under_its_own_name(ring):
    ring.lists(Zone("bl.test", listed("127.0.0.5")))
    postfix = ring.start()
    bell = ring.standalone(
        postfix, doorbell_dnsbl_sites="bl.test", doorbell_dnsbl_action="drop"
    ).start()
    with bell.connect("127.0.0.5") as client:
        assert client.reply().code == 521
    bell.log.tells(client, CONNECT, "DNSBL rank 1 for C", DISCONNECT)
    bell.log.tells_listed(
        "127.0.0.5", "addr 127.0.0.5 listed by domain bl.test as 127.0.0.2"
    )
    assert {line.tag for line in bell.log.lines} == {"postfix/doorbelld"}


def test_words_on_the_command_line_come_last(ring):
    postfix = ring.start()
    bell = ring.standalone(postfix, doorbell_greet_banner="from the file")
    bell.words = ["-o", "doorbell_greet_banner=from the command line"]
    bell.start()
    with bell.connect() as client:
        client.expect("220-from the command line", GREETING)


def test_privileges_are_gone(ring):
    bell = ring.standalone(ring.start()).start()
    passes(bell)
    owner = pwd.getpwnam("postfix")
    assert processes.status(bell.pid, "Uid") == [str(owner.pw_uid)] * 4
    assert processes.status(bell.pid, "Gid") == [str(owner.pw_gid)] * 4
    assert processes.status(bell.pid, "CapEff") == ["0000000000000000"]


def test_sighup_takes_the_new_configuration_for_new_sessions(ring):
    postfix = ring.start()
    bell = ring.standalone(postfix, doorbell_greet_wait="3s").start()
    held = bell.connect("127.0.0.3")
    assert held.line() == TEASER
    pid = bell.pid
    bell.main["doorbell_greet_banner"] = "something new"
    bell.hangup()

    def taken_up():
        with bell.connect() as client:
            return client.line() == "220-something new"

    until(taken_up, "the new banner")
    assert bell.pid == pid and bell.is_alive()
    assert held.line() == GREETING
    held.deliver(subject="held")
    bell.log.tells(held, CONNECT, PASS_NEW)
    postfix.wait_for_mail("held")
    with bell.connect("127.0.0.3") as client:
        client.expect(GREETING)
    bell.log.tells(client, CONNECT, PASS_OLD)


@pytest.mark.parametrize(
    "name,value",
    [
        ("doorbell_greet_action", "perhaps"),
        ("doorbell_greet_wait", "soon"),
        ("doorbell_dnsbl_sites", "bl.test*"),
    ],
)
def test_sighup_with_a_broken_file_changes_nothing_and_says_why(
    ring, name, value
):
    bell = ring.standalone(ring.start()).start()
    passes(bell, subject="before")
    bell.log.expect(r"(warning|error): .*")
    mark = bell.log.mark()
    bell.main[name] = value
    bell.hangup()
    bell.log.wait_for(r"(warning|error): .*%s.*" % name, after=mark)
    passes(bell, PASS_OLD, subject="after")
    assert bell.is_alive()


def test_sigterm_closes_the_door_and_drains(ring):
    """Who is inside is served to the end, within its own deadlines."""
    postfix = ring.start()
    bell = ring.standalone(postfix, doorbell_greet_wait="3s").start()
    held = bell.connect()
    assert held.line() == TEASER
    bell.terminate()

    until(lambda: refuses(bell.port), "a closed port")
    assert held.line() == GREETING
    held.deliver(subject="held")
    assert bell.wait() == 0
    postfix.wait_for_mail("held")


def test_sigterm_without_clients_ends_it_at_once(ring):
    bell = ring.standalone(ring.start()).start()
    passes(bell)
    bell.terminate()
    assert bell.wait() == 0


def test_pass_outlives_a_restart(ring):
    postfix = ring.start()
    bell = ring.standalone(postfix).start()
    passes(bell, PASS_NEW, subject="first")
    bell.terminate()
    assert bell.wait() == 0
    bell.start()
    passes(bell, PASS_OLD, subject="second")


def test_postfix_may_be_stopped_and_started_behind_it(ring):
    postfix = ring.start()
    bell = ring.standalone(postfix).start()
    passes(bell, subject="before")
    postfix.stop()
    bell.log.expect(
        r"warning: cannot connect to service private/smtpd: "
        r"(Connection refused|No such file or directory)"
    )
    with bell.connect() as client:
        client.expect(BUSY)
    bell.log.tells(client, CONNECT, PASS_OLD, DISCONNECT)
    postfix.start()
    deliver_to(postfix, bell, PASS_OLD, "after")


def test_taken_port_stops_the_start(ring):
    postfix = ring.start()
    bell = ring.standalone(postfix)
    bell.main["doorbell_listen"] = "inet:127.0.0.1:%d" % postfix.port
    bell.configure()
    done = subprocess.run(
        [ring.screener.path, "-f", "-c", bell.file],
        timeout=20,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "127.0.0.1" in done.stderr and "in use" in done.stderr
    passes(postfix)


def test_check_of_a_good_and_a_bad_configuration(ring):
    postfix = ring.start()

    def check():
        postfix.configure()
        return subprocess.run(
            [ring.screener.path, "-t", "-c", postfix.config],
            timeout=20,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    done = check()
    assert (done.returncode, done.stderr) == (0, "")
    postfix.own["doorbell_greet_wayt"] = "3s"
    assert "doorbell_greet_wait" in check().stderr, "did you mean?"
    del postfix.own["doorbell_greet_wayt"]
    postfix.own["doorbell_greet_action"] = "perhaps"
    done = check()
    assert done.returncode == 1
    assert "doorbell.cf:" in done.stderr and "perhaps" in done.stderr


def test_two_screeners_share_one_memory(ring):
    postfix = ring.start()
    bell = ring.standalone(postfix).start()
    passes(postfix, PASS_NEW, subject="service", source="127.0.0.2")
    passes(bell, PASS_NEW, subject="standalone", source="127.0.0.3")
    postfix.wait_for_mail("service")

    def shared(there, source):
        with there.connect(source) as client:
            return client.line() == GREETING

    until(lambda: shared(bell, "127.0.0.2"), "the pass of the service")
    until(lambda: shared(postfix, "127.0.0.3"), "the pass of the other")


@pytest.mark.load
def test_descriptors_run_out_and_everybody_is_served(ring):
    """More known clients than descriptors: they wait in the kernel's queue,
    and what is kept back for hand-offs lets those inside leave."""
    postfix = ring.start()
    bell = ring.standalone(postfix, doorbell_access_list="static:permit")
    bell.descriptors = 64
    bell.log.expect(r"warning: accepting connections rests for a moment: .*")
    postfix.log.expect(r"warning: (service \"smtpd\"|to avoid|see http).*")
    # The kernel's limit of descriptors on their way, with others' among them.
    postfix.log.expect(r"warning: pass_accept_attr: cannot receive file .*")
    postfix.log.expect(r"error: accept connection: .*")
    bell.start()
    crowd = [bell.connect("127.0.6.%d" % n) for n in range(1, 121)]
    for client in crowd:
        client.expect(GREETING)
        client.ask("QUIT", "221 2.0.0 Bye")
        client.close()
    until(lambda: processes.descriptors(bell.pid) < 40, "descriptors back")


def test_reload_keeps_indexed_tables(ring):
    """postmap(1) takes time, and rights that are gone: what was read at the
    start serves on, and a table that was not makes the reload fail."""
    postfix = ring.start()
    table = postfix.postmap("hash", "friends", "127.0.0.7 permit\n")
    other = postfix.postmap("hash", "others", "127.0.0.8 permit\n")
    bell = ring.standalone(postfix, doorbell_access_list=table).start()
    bell.main["doorbell_greet_action"] = "drop"
    bell.hangup()
    bell.log.wait_for("configuration reloaded")
    with bell.connect("127.0.0.7") as friend:
        friend.expect(GREETING)
    bell.main["doorbell_access_list"] = other
    bell.log.expect(r"error: .*read at the start only.*")
    bell.log.expect(r"warning: the new configuration cannot be used.*")
    bell.hangup()
    bell.log.wait_for(r"warning: the new configuration cannot be used.*")
    with bell.connect("127.0.0.7") as friend:
        friend.expect(GREETING)


def test_changed_indexed_table_waits_for_a_restart(ring):
    """What was read at the start stays, through a reload too."""
    postfix = ring.start()
    table = postfix.postmap("hash", "friends", "127.0.0.7 permit\n")
    bell = ring.standalone(postfix, doorbell_access_list=table).start()
    line = (
        r"warning: doorbell_access_list: table %s has changed: "
        "restart to take it up" % table
    )
    bell.log.expect(line)
    postfix.postmap("hash", "friends", "127.0.0.8 permit\n")
    bell.log.wait_for(line)
    bell.hangup()
    bell.log.wait_for("configuration reloaded")
    with bell.connect("127.0.0.7") as friend:
        friend.expect(GREETING)
    with bell.connect("127.0.0.8") as stranger:
        assert stranger.line() == TEASER
    bell.terminate()
    assert bell.wait() == 0
    bell.start()
    with bell.connect("127.0.0.8") as friend:
        friend.expect(GREETING)


def test_reload_asks_no_name_server(ring):
    """Names in inet_interfaces were looked up at the start."""
    bell = ring.standalone(ring.start(), inet_interfaces="localhost")
    del bell.main["mynetworks"]
    bell.start()
    bell.log.expect(r"error: .*inet_interfaces: localhost: names are .*")
    bell.log.expect(r"warning: the new configuration cannot be used.*")
    bell.hangup()
    bell.log.wait_for(r"error: .*names are looked up at the start only: .*")
    bell.log.wait_for(r"warning: the new configuration cannot be used.*")
    with bell.connect() as client:
        client.expect(TEASER, GREETING)
    bell.main["mynetworks"] = "127.0.0.1/32"
    bell.hangup()
    bell.log.wait_for("configuration reloaded")


COUNT = 500000  # clients that are forgotten: each few of them a commit


def test_a_sweep_that_the_end_cuts_short(ring):
    """The log says how far it came."""
    postfix = ring.start()
    bell = ring.standalone(postfix)
    bell.configure()
    long_ago = int(time.time()) - 100 * 86400
    ctl = Ctl(postfix.screener, bell.file)
    ctl(
        "cache",
        "import",
        stdin="".join(
            "10.%d.%d.%d\t%d;0;0;0;0\n"
            % (i >> 16, i >> 8 & 255, i & 255, long_ago)
            for i in range(COUNT)
        ),
    )
    bell.start()
    with bell.connect() as client:
        client.line()
        until(lambda: processes.aside_seconds(bell.pid) > 0, "the sweep")
        bell.terminate()
    assert bell.wait() == 0
    (swept,) = bell.log.find(
        r"cache \S+ partial cleanup: retained=0 dropped=(\d+) entries"
    )
    assert 0 < int(swept.group(1)) < COUNT
