# SPDX-License-Identifier: ISC
"""Log lines for programs: JSON and logfmt, and fewer of them."""

import json
import re
import shlex
import subprocess

import pytest

from ctl import Ctl
from dns import Zone, listed
from scripts import GREETING, TEASER

pytestmark = pytest.mark.standalone

ID = "[0-9A-Za-z]{11}"


def fields(line):
    """A line of logfmt; our quoted texts are what shells call quoted, too."""
    return dict(word.split("=", 1) for word in shlex.split(line))


def test_json_from_the_first_line_to_the_last(ring):
    postfix = ring.start()
    bell = ring.standalone(
        postfix, doorbell_log_format="json", doorbell_greet_action="enforce"
    ).start()
    with bell.connect("127.0.0.5") as client:
        client.send('EHLO "},{"x\r\n')
        bell.log.wait_for('.*"event":"pregreet".*')
    bell.log.wait_for('.*"event":"disconnect".*')
    bell.terminate()
    bell.wait()
    lines = [json.loads(line.text) for line in bell.log.lines]
    assert {line["level"] for line in lines} == {"info"}
    own = [line["text"] for line in lines if line["event"] == "message"]
    assert re.match("doorbelld .* starting", own[0])
    story = [line for line in lines if line["event"] != "message"]
    assert [line["event"] for line in story] == [
        "connect",
        "pregreet",
        "hangup_late",
        "disconnect",
    ]
    (session,) = {line["session"] for line in story}
    assert re.fullmatch(ID, session)
    assert {line["client"] for line in story} == {"127.0.0.5"}
    assert story[1]["text"] == 'EHLO "},{"x\r\n'
    assert story[1]["bytes"] == len(story[1]["text"])


def test_a_reload_changes_form_and_choice(ring):
    postfix = ring.start()
    bell = ring.standalone(
        postfix, doorbell_log_format="logfmt", doorbell_greet_wait="1s"
    ).start()
    with bell.connect("127.0.0.6") as client:
        client.expect(TEASER, GREETING)
    bell.log.wait_for("level=info event=pass_new session=%s .*" % ID)
    assert fields(bell.log.lines[-1].text)["client"] == "127.0.0.6"
    del bell.main["doorbell_log_format"]
    bell.main["doorbell_log_events"] = "pass"
    bell.configure()
    bell.hangup()
    bell.log.wait_for("configuration reloaded")
    after = bell.log.mark()
    with bell.connect("127.0.0.6") as client:
        client.expect(GREETING)
    bell.log.wait_for(r"PASS OLD \[127.0.0.6\]:\d+", after=after)
    assert bell.log.mark() == after + 1


def test_one_name_for_a_session_everywhere(ring):
    """In the log, in its replies, and in what doorbellctl shows."""
    ring.lists(Zone("bl.test", listed("127.0.0.5")))
    postfix = ring.start()
    bell = ring.standalone(
        postfix,
        doorbell_log_format="json",
        doorbell_dnsbl_sites="bl.test",
        doorbell_dnsbl_action="enforce",
        doorbell_reject_footer="Say $session_id; listed by $dnsbl_reasons",
        doorbell_greet_wait="1s",
    )
    bell.main["doorbell_control_socket"] = bell.directory + "/control"
    bell.start()
    ctl = Ctl(postfix.screener, bell.file)
    with bell.connect("127.0.0.5") as client:
        client.expect(TEASER, GREETING)
        client.ask("EHLO bot.test")
        client.ask("MAIL FROM:<a@bot.test>")
        refusal = client.ask("RCPT TO:<b@example.test>")
        said = re.fullmatch(
            r"550 5\.7\.1 Say (%s); listed by bl\.test" % ID, refusal.lines[-1]
        )
        (session,) = ctl.json("sessions")["sessions"]
        assert session["session"] == said.group(1)
        assert session["address"] == "127.0.0.5"
        assert said.group(1) in ctl("sessions")
    bell.log.wait_for('.*"event":"disconnect".*')
    lines = [json.loads(line.text) for line in bell.log.lines]
    story = {line["event"] for line in lines if "session" in line}
    assert {"connect", "dnsbl_rank", "reject_rcpt", "disconnect"} <= story
    names = {line["session"] for line in lines if "session" in line}
    assert names == {said.group(1)}


def test_an_event_that_nobody_knows(ring):
    postfix = ring.start()
    bell = ring.standalone(postfix, doorbell_log_events="!conect")
    bell.configure()
    done = subprocess.run(
        [postfix.screener.path, "-t", "-c", bell.file],
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    assert done.returncode == 1
    assert (
        "doorbell_log_events: no log event or group of events: conect"
        in done.stderr
    )
