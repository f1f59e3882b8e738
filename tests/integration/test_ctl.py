# SPDX-License-Identifier: ISC
"""doorbellctl: into a Postfix that runs, out of it, and the memory of years."""

import os
import re
import signal
import subprocess
import time

import pytest

import processes
from client import Client
from scripts import GREETING, PASS_NEW, PASS_OLD, TEASER, passes
from waiting import GENEROUS_S, until

pytestmark = pytest.mark.own

SLOTS = "pregreet", "dnsbl", "pipelining", "non-smtp", "bare-newline"


class Ctl:
    """doorbellctl -c DIRECTORY for an instance; every run is checked."""

    def __init__(self, postfix):
        self.postfix = postfix
        self.program = os.path.join(
            os.path.dirname(postfix.screener.path), "doorbellctl"
        )
        if not os.access(self.program, os.X_OK):
            pytest.fail("%s has not been built" % self.program)

    def __call__(self, *words, status=0, stdin=""):
        # What a sanitizer finds is a failure of the run.
        run = subprocess.run(
            [self.program, "-c", self.postfix.config, *words],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=4 * GENEROUS_S,
        )
        assert run.returncode == status, (run.stdout, run.stderr)
        self.stderr = run.stderr
        return run.stdout

    def edit(self, verb, *words, **more):
        return self("postfix", verb, str(self.postfix.port), *words, **more)


def files(postfix):
    """All files of the configuration and beside the programs, and whose."""
    found = {}
    for directory in postfix.config, postfix.daemons:
        for name in os.listdir(directory):
            path = os.path.join(directory, name)
            if not os.path.islink(path):
                st = os.stat(path)
                with open(path, "rb") as f:
                    found[path] = st.st_mode, st.st_uid, st.st_gid, f.read()
    return found


def read(postfix, name="master.cf"):
    with open(os.path.join(postfix.config, name)) as f:
        return f.read()


def entry(postfix, name, kind):
    """An entry of master.cf as postconf(1) understands it."""
    run = subprocess.run(
        ["postconf", "-c", postfix.config, "-M", "%s/%s" % (name, kind)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=GENEROUS_S,
    )
    return " ".join(run.stdout.split())


def plain(ring, options="-o smtpd_banner=$myhostname${stress?}ESMTP_ring"):
    """A Postfix whose smtpd has the port itself, running."""
    postfix = ring.build(postscreen_greet_action="enforce")
    postfix.program = "smtpd"
    postfix.arguments = options
    postfix.without = ("smtpd",)
    # The program is not there before it is put there.
    os.unlink(os.path.join(postfix.daemons, "doorbelld"))
    postfix.log.tag = "postfix/postscreen"
    return postfix.start()


def handed_over(postfix, mark, old):
    """The reload is over; who had the port before accepts no more."""
    postfix.log.wait_for(r"reload -- version .*", after=mark)
    until(lambda: not postfix.pids(old), "the end of %s" % old)


def mail_flows(postfix, subject, **where):
    """A mail gets in, whoever has the port; returns the greeting."""
    with postfix.connect(**where) as client:
        greeting = client.reply()
        assert greeting.code == 220
        client.deliver(subject=subject)
    postfix.wait_for_mail(subject)
    return greeting.lines


def test_into_a_plain_smtpd_and_out_again(ring):
    postfix = plain(ring, "-o smtpd_banner=$myhostname\n  -o { ring = a b }")
    ctl = Ctl(postfix)
    before = files(postfix)
    assert "smtpd" in ctl.edit("status", status=4)
    assert mail_flows(postfix, "before") == ["220 mx.example.test"]

    said = ctl.edit("enable", "--dry-run")
    assert "- %d inet n - n - 1 smtpd" % postfix.port in said
    assert "+ %d inet n - n - 1 doorbelld" % postfix.port in said
    assert "+ smtpd pass - - n - 1 smtpd -o smtpd_banner" in said
    assert files(postfix) == before

    mark = postfix.log.mark()
    assert said in ctl.edit("enable")
    handed_over(postfix, mark, "smtpd")
    postfix.program = "doorbelld"
    assert entry(postfix, postfix.port, "inet") == (
        "%d inet n - n - 1 doorbelld" % postfix.port
    )
    assert entry(postfix, "smtpd", "pass") == (
        "smtpd pass - - n - 1 smtpd -o smtpd_banner=$myhostname"
        " -o {ring=a b}"
    )
    program = os.stat(
        os.path.join(postfix.daemons, "doorbelld"), follow_symlinks=False
    )
    assert (program.st_uid, program.st_gid) == (0, 0)
    assert program.st_mode == 0o100755
    assert "doorbelld" in ctl.edit("status")
    # The teaser is the screen's own, the greeting is smtpd's with its options.
    assert mail_flows(postfix, "with") == [TEASER, "220 mx.example.test"]
    postfix.log.wait_for(PASS_NEW.replace("C", r"\S+"), after=mark)

    enabled = files(postfix)
    mark = postfix.log.mark()
    assert "nothing to do" in ctl.edit("enable")
    assert files(postfix) == enabled
    assert not postfix.log.find(r"reload .*", after=mark)

    said = ctl.edit("disable", "--dry-run")
    assert files(postfix) == enabled
    assert said in ctl.edit("disable")
    handed_over(postfix, mark, "doorbelld")
    kept = {
        path: content
        for path, content in files(postfix).items()
        if not path.endswith("/doorbelld")
    }
    assert kept == before
    assert mail_flows(postfix, "after") == ["220 mx.example.test"]
    assert "nothing to do" in ctl.edit("disable")
    ctl.edit("status", status=4)


def test_into_a_postscreen_setup_and_out_again(ring):
    postfix = ring.build(postscreen_greet_action="enforce")
    postfix.program = "postscreen"
    postfix.arguments = "-o postscreen_greet_banner=ring"
    postfix.main["postscreen_greet_wait"] = "2s"
    postfix.start()
    ctl = Ctl(postfix)
    before = files(postfix)
    ctl.edit("status", status=3)
    assert mail_flows(postfix, "before") == ["220-ring", GREETING]

    mark = postfix.log.mark()
    ctl.edit("enable")
    handed_over(postfix, mark, "postscreen")
    postfix.program = "doorbelld"
    assert entry(postfix, postfix.port, "inet") == (
        "%d inet n - n - 1 doorbelld -o postscreen_greet_banner=ring"
        % postfix.port
    )
    assert "smtpd pass - - n - - smtpd\n" in read(postfix)
    assert mail_flows(postfix, "with") == ["220-ring", GREETING]
    assert "- 1 postscreen" in read(postfix, "master.cf.before-doorbell")

    mark = postfix.log.mark()
    ctl.edit("disable")
    handed_over(postfix, mark, "doorbelld")
    postfix.program = "postscreen"
    assert files(postfix) == before
    # postscreen knows the first client from before.
    assert mail_flows(postfix, "after") == [GREETING]


def test_disable_keeps_what_was_changed_meanwhile(ring):
    postfix = plain(ring, "-o smtpd_banner=$myhostname")
    ctl = Ctl(postfix)
    old = entry(postfix, postfix.port, "inet")
    ctl.edit("enable")
    with open(os.path.join(postfix.config, "master.cf"), "a") as f:
        f.write("# a note\nsubmission unix n - n - - smtpd\n")
    ctl.edit("disable")
    assert entry(postfix, postfix.port, "inet") == old
    assert entry(postfix, "smtpd", "pass") == ""
    assert read(postfix).endswith(
        "# a note\nsubmission unix n - n - - smtpd\n"
    )
    assert not os.path.exists(
        os.path.join(postfix.config, "master.cf.before-doorbell")
    )


def test_two_addresses(ring):
    postfix = plain(ring, "")
    second = "127.0.0.1:%d" % (postfix.port + 1)
    postfix.stop()
    with open(os.path.join(postfix.config, "master.cf"), "a") as f:
        f.write("%s inet n - n - 1 smtpd\n" % second)
    ctl = Ctl(postfix)
    before = read(postfix)
    ctl.edit("enable")
    ctl("postfix", "enable", second)
    assert read(postfix, "master.cf.before-doorbell") == before
    ctl.edit("disable")
    ctl.edit("status", status=4)
    ctl("postfix", "status", second)
    assert entry(postfix, "smtpd", "pass")
    ctl("postfix", "disable", second)
    ctl("postfix", "status", second, status=4)
    assert not entry(postfix, "smtpd", "pass")
    assert "master.cf.before-doorbell" not in os.listdir(postfix.config)


def test_disable_needs_to_know_what_was(ring):
    postfix = ring.start()
    ctl = Ctl(postfix)
    before = files(postfix)
    ctl.edit("disable", status=1)
    assert "there is no copy of what was before" in ctl.stderr
    assert files(postfix) == before


def break_doorbell_cf(postfix):
    path = os.path.join(postfix.config, "doorbell.cf")
    with open(path, "a") as f:
        f.write("doorbell_dnsbl_sites = bl.test*x\n")
    return "bl.test"


def command_directory(postfix, script):
    """Postfix's commands, with another postfix(1) in front of it."""
    path = os.path.join(postfix.directory, "commands")
    os.mkdir(path)
    for name in "postconf", "postmap", "postsuper":
        os.symlink("/usr/sbin/" + name, os.path.join(path, name))
    with open(os.path.join(path, "postfix"), "w") as f:
        f.write('#!/bin/sh\n%s\nexec /usr/sbin/postfix "$@"\n' % script)
    os.chmod(os.path.join(path, "postfix"), 0o755)
    subprocess.run(
        ["postconf", "-c", postfix.config, "command_directory=" + path],
        check=True,
        stderr=subprocess.DEVNULL,
        timeout=GENEROUS_S,
    )


def break_check(postfix):
    command_directory(
        postfix, '[ "$3" = check ] && { echo "no: the check"; exit 1; }'
    )
    return "no: the check"


def break_reload(postfix):
    command_directory(
        postfix,
        'case "$3" in check) exit 0;; '
        'reload) echo "no: the reload" >&2; exit 1;; esac',
    )
    return "no: the reload"


def break_postconf(postfix):
    """postconf(1) takes long options for short ones."""
    path = os.path.join(postfix.config, "master.cf")
    with open(path) as f:
        text = f.read()
    with open(path, "w") as f:
        f.write(text.replace("-o smtpd_banner=", "--config=", 1))
    return "postconf made"


@pytest.mark.parametrize(
    "breaking",
    [break_doorbell_cf, break_check, break_reload, break_postconf],
)
def test_a_step_that_fails_leaves_all_as_it_was(ring, breaking):
    postfix = plain(ring, "-o smtpd_banner=$myhostname")
    ctl = Ctl(postfix)
    reason = breaking(postfix)
    before = files(postfix)
    ctl.edit("enable", status=1)
    assert reason in ctl.stderr
    assert "every file is as it was" in ctl.stderr
    assert files(postfix) == before
    mail_flows(postfix, "still")


def test_interrupted_in_the_middle(ring):
    postfix = plain(ring, "-o smtpd_banner=$myhostname")
    command_directory(postfix, '[ "$3" = check ] && exec sleep 60')
    ctl = Ctl(postfix)
    before = files(postfix)
    run = subprocess.Popen(
        [
            ctl.program,
            "-c",
            postfix.config,
            "postfix",
            "enable",
            str(postfix.port),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until(lambda: "doorbelld" in read(postfix), "the edit")
    # Nobody else may change this Postfix meanwhile.
    ctl.edit("enable", status=1)
    assert "another doorbellctl is at work" in ctl.stderr
    # What Ctrl-C does: all of the terminal's processes get it.
    until(lambda: processes.children(run.pid, "sleep"), "postfix check")
    os.killpg(run.pid, signal.SIGINT)
    said = run.communicate(timeout=GENEROUS_S)[1]
    assert run.returncode == -signal.SIGINT
    assert "every file is as it was" in said
    assert files(postfix) == before


def test_disable_that_fails_leaves_doorbelld_in(ring):
    postfix = plain(ring, "-o smtpd_banner=$myhostname")
    ctl = Ctl(postfix)
    mark = postfix.log.mark()
    ctl.edit("enable")
    handed_over(postfix, mark, "smtpd")
    postfix.program = "doorbelld"
    break_check(postfix)
    before = files(postfix)
    ctl.edit("disable", status=1)
    assert files(postfix) == before
    assert mail_flows(postfix, "still")[0] == TEASER


def test_what_cannot_be_done_is_not_begun(ring):
    postfix = plain(ring, "-o smtpd_upstream_proxy_protocol=haproxy")
    ctl = Ctl(postfix)
    before = files(postfix)
    ctl.edit("enable", status=1)
    assert "doorbell_upstream_proxy_protocol" in ctl.stderr
    ctl("postfix", "enable", status=1)
    assert "no service on port 25" in ctl.stderr
    ctl("postfix", "enable", "cleanup", status=1)
    assert "no service cleanup inet" in ctl.stderr
    for words in (
        ("postfix",),
        ("postfix", "able"),
        ("cache", "get"),
        ("--dry-run", "cache", "list"),
        ("-x",),
    ):
        ctl(*words, status=2)
        assert "usage:" in ctl.stderr
    assert files(postfix) == before


class Leaving:
    """`postfix disable` while there are clients."""

    def __init__(self, ctl):
        self._postfix = ctl.postfix
        self._run = subprocess.Popen(
            [
                ctl.program,
                "-c",
                ctl.postfix.config,
                "postfix",
                "disable",
                str(ctl.postfix.port),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait_until_it_waits(self):
        """doorbelld does not have the port any more."""
        for line in self._run.stdout:
            if line.startswith("Waiting "):
                break
        until(
            lambda: not self._postfix.pids("doorbelld"),
            "the end of doorbelld",
        )

    def interrupt(self):
        os.killpg(self._run.pid, signal.SIGINT)

    def children(self, name):
        return processes.children(self._run.pid, name)

    def is_running(self):
        return self._run.poll() is None

    def end(self):
        out, err = self._run.communicate(timeout=4 * GENEROUS_S)
        assert self._run.returncode == 0, (out, err)
        return out, err


def with_doorbelld(ring, **main):
    """A plain Postfix into which doorbelld was put."""
    postfix = plain(ring, "-o smtpd_banner=$myhostname")
    postfix.main.update(main)
    postfix.reload()
    # Nobody waits for the only smtpd.
    subprocess.run(
        [
            "postconf",
            "-c",
            postfix.config,
            "-F",
            "%d/inet/process_limit=-" % postfix.port,
        ],
        check=True,
        stderr=subprocess.DEVNULL,
        timeout=GENEROUS_S,
    )
    ctl = Ctl(postfix)
    mark = postfix.log.mark()
    ctl.edit("enable")
    handed_over(postfix, mark, "smtpd")
    postfix.program = "doorbelld"
    return postfix, ctl


def begin_mail(client):
    assert client.ask("EHLO client.test").code == 250
    assert client.ask("MAIL FROM:<sender@client.test>").code == 250
    assert client.ask("RCPT TO:<inbox@example.test>").code == 250
    assert client.ask("DATA").code == 354
    client.send("Subject: inside\r\n\r\n")


def finish_mail(client):
    client.send("the rest\r\n")
    assert client.ask(".").code == 250
    assert client.ask("QUIT").code == 221
    assert client.end() == b""


def port_is_smtpds(postfix):
    return "%d inet n - n - - smtpd" % postfix.port in entry(
        postfix, postfix.port, "inet"
    )


@pytest.mark.parametrize("deep", ["no", "yes"])
def test_disable_lets_clients_finish(ring, deep):
    """One under test, one with smtpd, by hand-off and by relay."""
    postfix, ctl = with_doorbelld(
        ring, postscreen_greet_wait="4s", postscreen_pipelining_enable=deep
    )
    greeting = GREETING if deep == "yes" else "220 mx.example.test"
    with postfix.connect() as busy:
        busy.expect(TEASER, greeting)
        begin_mail(busy)
        held = postfix.connect(source="127.0.0.3")
        assert held.line() == TEASER
        leaving = Leaving(ctl)
        leaving.wait_until_it_waits()
        assert port_is_smtpds(postfix) and entry(postfix, "smtpd", "pass")
        # A new client has the old service, and waits for nobody.
        assert mail_flows(postfix, "meanwhile", source="127.0.0.4") == [
            "220 mx.example.test"
        ]
        assert held.silent()
        held.expect(greeting)
        begin_mail(held)
        finish_mail(held)
        assert leaving.is_running()
        finish_mail(busy)
    assert "Done: " in leaving.end()[0]
    postfix.wait_for_mail("inside", count=2)
    assert not entry(postfix, "smtpd", "pass")
    ctl.edit("status", status=4)
    assert mail_flows(postfix, "after") == ["220 mx.example.test"]


def test_disable_waits_no_longer_than_the_admin(ring):
    postfix, ctl = with_doorbelld(ring)
    before = read(postfix, "master.cf.before-doorbell")
    with postfix.connect() as busy:
        busy.expect(TEASER, "220 mx.example.test")
        begin_mail(busy)
        leaving = Leaving(ctl)
        leaving.wait_until_it_waits()
        leaving.interrupt()
        assert "Not waiting any longer" in leaving.end()[0]
        # master(8) kills what it does not know any more.
        assert busy.end() == b""
    assert read(postfix) == before
    mail_flows(postfix, "after")


def test_the_end_of_waiting_may_reach_the_reload_too(ring):
    """The second of the three reloads is the one between the two steps."""
    postfix, ctl = with_doorbelld(ring)
    before = read(postfix, "master.cf.before-doorbell")
    command_directory(
        postfix,
        '[ "$3" = reload ] && echo >>%s/reloads &&'
        " [ $(wc -l <%s/reloads) = 2 ] && exec sleep 60"
        % (postfix.directory, postfix.directory),
    )
    with postfix.connect() as busy:
        busy.expect(TEASER, "220 mx.example.test")
        begin_mail(busy)
        leaving = Leaving(ctl)
        leaving.wait_until_it_waits()
        until(lambda: leaving.children("sleep"), "the second reload")
        leaving.interrupt()
        for pid in leaving.children("sleep"):
            os.kill(pid, signal.SIGINT)
        assert "Not waiting any longer" in leaving.end()[0]
    assert read(postfix) == before
    mail_flows(postfix, "after")


def test_disable_keeps_what_changes_while_it_waits(ring):
    postfix, ctl = with_doorbelld(ring)
    with postfix.connect() as busy:
        busy.expect(TEASER, "220 mx.example.test")
        begin_mail(busy)
        leaving = Leaving(ctl)
        leaving.wait_until_it_waits()
        with open(os.path.join(postfix.config, "master.cf"), "a") as f:
            f.write("submission unix n - n - - smtpd\n")
        finish_mail(busy)
        assert 'its line "smtpd pass" is not needed' in leaving.end()[1]
    assert entry(postfix, "submission", "unix")
    assert entry(postfix, "smtpd", "pass")
    assert port_is_smtpds(postfix)
    assert "master.cf.before-doorbell" not in os.listdir(postfix.config)


def test_a_postfix_that_does_not_run(ring):
    postfix = plain(ring, "-o smtpd_banner=$myhostname")
    postfix.stop()
    ctl = Ctl(postfix)
    assert "does not run" in ctl.edit("enable")
    assert "doorbelld" in ctl.edit("status")


# --- the memory ---------------------------------------------------------------
def postscreen_memory(postfix):
    """postmap -s of postscreen's cache; nobody may have it open."""
    run = subprocess.run(
        [
            "postmap",
            "-c",
            postfix.config,
            "-s",
            "btree:%s/postscreen_cache" % postfix.data,
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=GENEROUS_S,
    )
    return run.stdout


def times(text, address):
    """The five times of an address."""
    found = re.search(
        r"^%s\t([0-9;]+)$" % re.escape(address), text, re.MULTILINE
    )
    assert found, text
    return [int(n) for n in found[1].split(";")]


def test_warm_cache_from_postscreen_and_back(ring):
    deep = {
        "postscreen_pipelining_enable": "yes",
        "postscreen_pipelining_ttl": "20d",
        "postscreen_non_smtp_command_enable": "yes",
        "postscreen_non_smtp_command_ttl": "30d",
        "postscreen_bare_newline_enable": "yes",
        "postscreen_bare_newline_ttl": "40d",
        "postscreen_greet_ttl": "10d",
    }
    postfix = ring.build(postscreen_greet_action="enforce")
    postfix.program = "postscreen"
    postfix.main.update(deep, postscreen_greet_wait="2s")
    postfix.start()
    with postfix.connect() as client:
        client.expect(TEASER, GREETING)
        client.ask("EHLO client.test")
        client.ask("MAIL FROM:<a@client.test>")
        assert client.ask("RCPT TO:<inbox@example.test>").code == 450
        client.ask("QUIT")
        client.end()
    postfix.log.wait_for(PASS_NEW.replace("C", r"\S+"))
    now = time.time()
    with postfix.connect(host="::1") as client:
        client.expect(TEASER, GREETING)
        client.ask("QUIT")
        client.end()
    postfix.end()

    memory = postscreen_memory(postfix)
    # This is the order that postscreen writes them in.
    got = times(memory, "127.0.0.2")
    assert [round((t - now) / 86400) if t > 1 else t for t in got] == [
        10,
        1,
        20,
        30,
        40,
    ], got

    ctl = Ctl(postfix)
    ctl("cache", "list", status=1)
    assert "there is no cache yet" in ctl.stderr
    said = ctl("cache", "import", stdin=memory)
    assert "0 bad lines" in said
    exported = ctl("cache", "export")
    assert times(exported, "127.0.0.2") == got
    for name in "doorbell_cache", "doorbell_cache-lock":
        path = os.path.join(postfix.data, name)
        assert os.stat(path).st_uid == os.stat(postfix.data).st_uid

    postfix.program = "doorbelld"
    for name in deep:
        del postfix.main[name]
    postfix.start()
    passes(postfix, PASS_OLD, subject="at once")
    passes(postfix, PASS_NEW, subject="a stranger", source="127.0.0.3")
    until(lambda: "127.0.0.3\t" in ctl("cache", "export"), "the new record")
    exported = ctl("cache", "export")
    postfix.stop()

    # And home again: postscreen knows both.
    for name in os.listdir(postfix.data):
        if name.startswith("postscreen_cache"):
            os.unlink(os.path.join(postfix.data, name))
    source = os.path.join(postfix.data, "postscreen_cache")
    with open(source, "w") as f:
        f.write(exported)
    os.chown(source, os.stat(postfix.data).st_uid, -1)
    subprocess.run(
        ["postmap", "-c", postfix.config, "btree:" + source],
        check=True,
        timeout=GENEROUS_S,
    )
    postfix.program = "postscreen"
    postfix.start()
    passes(postfix, PASS_OLD, subject="home", source="127.0.0.3")
    passes(postfix, PASS_OLD, subject="home again")


def test_cache_by_hand_while_doorbelld_runs(ring):
    postfix = ring.build()
    postfix.own["doorbell_cache_map"] = "lmdb:%s/elsewhere" % postfix.data
    # The line of doorbelld in master.cf has the last word.
    postfix.arguments = (
        "-v -o { doorbell_cache_map = lmdb:%s/memory }" % postfix.data
    )
    postfix.log.expect(r"warning: .*unused parameter.*")
    postfix.start()
    ctl = Ctl(postfix)
    passes(postfix, subject="first")
    until(lambda: "127.0.0.2\t" in ctl("cache", "export"), "the record")
    assert os.path.exists(os.path.join(postfix.data, "memory"))
    assert not os.path.exists(os.path.join(postfix.data, "elsewhere"))

    line = ctl("cache", "get", "127.0.0.2")
    assert line == ctl("cache", "list")
    assert re.fullmatch(
        r"127\.0\.0\.2  pregreet until [-0-9]+ [:0-9]+, dnsbl off, "
        r"pipelining off, non-smtp off, bare-newline off\n",
        line,
    )
    ctl("cache", "delete", "127.0.0.2")
    # doorbelld does it, and its writer.
    until(lambda: ctl("cache", "list") == "", "the end of the record")
    ctl("cache", "delete", "127.0.0.2", status=1)
    assert "not in the cache" in ctl.stderr
    ctl("cache", "get", "localhost", status=2)
    assert "not an address" in ctl.stderr
    passes(postfix, PASS_NEW, subject="a stranger again")

    later = int(time.time()) + 5000
    said = ctl(
        "cache",
        "import",
        status=1,
        stdin="127.0.0.9\t%d;1;1;1;1\n"
        "nonsense\n"
        "2001:db8:1:2:3::4\t%d;0;0;0;0\n"
        "127.0.0.9\t5;%d;0;0;0\n" % (later, later, later),
    )
    assert said == "3 records imported, 1 bad lines\n"
    assert "line 2: " in ctl.stderr
    exported = ctl("cache", "export")
    assert times(exported, "127.0.0.9") == [later, later, 1, 1, 1]
    # One record for the /64.
    assert times(exported, "2001:db8:1:2::") == [later, 0, 0, 0, 0]
    assert "2001:db8:1:2::/64  " in ctl("cache", "get", "2001:db8:1:2::9")
    passes(postfix, PASS_OLD, subject="imported", source="127.0.0.9")


def test_a_damaged_cache_is_left_to_doorbelld(ring):
    """Who only looks says so; the daemon sets it aside."""
    postfix = ring.build()
    path = os.path.join(postfix.data, "doorbell_cache")
    garbage = b"this is no database\n" * 4096
    with open(path, "wb") as f:
        f.write(garbage)
    os.chown(path, os.stat(postfix.data).st_uid, -1)
    postfix.configure()
    ctl = Ctl(postfix)
    for words in ("list",), ("export",), ("get", "127.0.0.2"):
        assert ctl("cache", *words, status=1) == ""
        assert "doorbell_cache: MDB_INVALID" in ctl.stderr
        assert os.listdir(postfix.data) == ["doorbell_cache"]
        with open(path, "rb") as f:
            assert f.read() == garbage
    ctl("cache", "delete", "127.0.0.2", status=1)
    assert "set aside as" in ctl.stderr
    assert "doorbell_cache.broken" in os.listdir(postfix.data)


def test_a_standalone_doorbelld(ring):
    postfix = ring.start()
    standalone = ring.standalone(postfix)
    standalone.main["doorbell_cache_map"] = (
        "lmdb:%s/standalone_cache" % postfix.data
    )
    standalone.configure()
    ctl = Ctl(postfix)
    base = [ctl.program, "-c", standalone.file]
    done = subprocess.run(
        base + ["cache", "import", "-"],
        input="127.0.0.2\t%d\n" % (time.time() + 1000),
        text=True,
        stdout=subprocess.PIPE,
        timeout=GENEROUS_S,
    )
    assert done.stdout == "1 records imported, 0 bad lines\n"
    standalone.start()
    with Client("127.0.0.1", standalone.port, "127.0.0.2") as client:
        client.expect(GREETING)
        client.ask("QUIT")
        client.end()
    run = subprocess.run(
        base + ["postfix", "status"],
        text=True,
        stderr=subprocess.PIPE,
        timeout=GENEROUS_S,
    )
    assert run.returncode == 1
    assert "not a directory of Postfix" in run.stderr
