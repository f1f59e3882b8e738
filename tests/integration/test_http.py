# SPDX-License-Identifier: ISC
"""Metrics, health and status by HTTP, for clients good and bad."""

import json
import os
import socket
import stat
import subprocess
import time

import pytest

import processes
import web
from dns import Zone, listed
from scripts import GREETING, TEASER
from waiting import GENEROUS_S, until

pytestmark = pytest.mark.own


def greet(postfix, source="127.0.0.9"):
    with postfix.connect(source=source) as client:
        client.expect(TEASER, GREETING)
        client.ask("QUIT")
        client.end()


def start(ring, own=None, **main):
    """A Postfix whose doorbelld runs and has a page; and the page's port."""
    port = ring.ports.take()
    own = dict(own or {}, doorbell_http_listen="inet:127.0.0.1:%d" % port)
    postfix = ring.start(own=own, **main)
    greet(postfix)
    return postfix, port


def standalone(ring, **own):
    port = ring.ports.take()
    own.setdefault("doorbell_http_listen", "inet:127.0.0.1:%d" % port)
    screener = ring.standalone(ring.start(), **own).start()
    return screener, port


def refuses(port):
    try:
        web.connect(port).close()
    except ConnectionRefusedError:
        return True
    return False


def test_metrics(ring):
    ring.lists(
        Zone("a.test", listed("127.0.0.3")),
        Zone("secret.b.test", listed("127.0.0.4")),
    )
    postfix, port = start(
        ring,
        postscreen_dnsbl_sites="a.test secret.b.test",
        postscreen_dnsbl_reply_map="inline:{secret.b.test=b.test}",
    )
    answer = web.ask(port, "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = answer.body.decode()
    web.promtool(text)
    assert "secret" not in text
    assert "\ndoorbell_connections_total 1\n" in text
    assert '\ndoorbell_dnsbl_list_queries_total{list="b.test"} 1\n' in text

    answer = web.ask(
        port,
        "/metrics",
        Accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.3",
    )
    assert answer.headers["content-type"].startswith(
        "application/openmetrics-text; version=1.0.0"
    )
    samples = web.open_metrics(answer.body.decode())
    assert samples["doorbell_connections_total"] == 1
    assert samples["doorbell_handed_off_total"] == 1
    assert samples["doorbell_stranger_wait_seconds_count"] == 1
    assert samples["doorbell_handoff_wait_seconds_count"] == 1
    assert samples["doorbell_dnsbl_answer_seconds_count"] == 2
    assert samples['doorbell_log_events_total{event="pass_new"}'] == 1
    assert samples['doorbell_sessions{phase="greet"}'] == 0
    with postfix.connect(source="127.0.0.7") as client:
        assert client.line() == TEASER
        samples = web.open_metrics(
            web.get(port, "/metrics", Accept="application/openmetrics-text")
        )
        assert samples['doorbell_sessions{phase="greet"}'] == 1


def test_status(ring):
    postfix, port = start(ring, postscreen_greet_action="enforce")
    with postfix.connect(source="127.0.0.7") as client:
        client.send("EHLO early.test\r\n")
        assert client.line() == TEASER
        answer = until(
            lambda: [
                a
                for a in [web.ask(port, "/api/status.json")]
                if json.loads(a.body)["offenders"]
            ],
            "an offender",
        )[0]
    assert answer.headers["content-type"] == "application/json"
    status = json.loads(answer.body)
    assert status["pid"] == postfix.screener_pid()
    assert status["healthy"] and status["trouble"] == ""
    assert status["counters"]["connections_total"] == 2
    (offender,) = status["offenders"]
    assert offender["client"] == "127.0.0.7"
    assert offender["pregreet"] == 1


def test_health(ring):
    """smtpd goes and comes back; then nobody is accepted any more."""
    screener, port = standalone(ring, doorbell_greet_action="enforce")
    queue = screener.main["queue_directory"]
    assert web.get(port, "/healthz") == "ok\n"
    os.rename(queue + "/private/smtpd", queue + "/private/gone")
    screener.log.expect(r"warning: cannot connect to service .*")
    with screener.connect() as client:
        client.reply()
        answer = web.ask(port, "/healthz")
    assert answer.status == 503
    assert answer.body.startswith(b"smtpd cannot be reached, for ")
    os.rename(queue + "/private/gone", queue + "/private/smtpd")
    with screener.connect(source="127.0.0.3") as client:
        client.expect(TEASER, GREETING)
        assert web.get(port, "/healthz") == "ok\n"
    with screener.connect(source="127.0.0.4") as client:
        client.send("EHLO early.test\r\n")
        assert client.line() == TEASER
        until(
            lambda: json.loads(web.get(port, "/api/status.json"))["offenders"],
            "the dialogue",
        )
        screener.terminate()
        until(
            lambda: web.ask(port, "/healthz").status == 503, "the draining"
        )
        assert b"draining" in web.ask(port, "/healthz").body
    assert screener.wait() == 0


def test_under_master(ring):
    """The old process frees the address, the new one takes it."""
    postfix, port = start(ring, own={"doorbell_greet_action": "enforce"})
    with postfix.connect(source="127.0.0.7") as held:
        held.send("EHLO early.test\r\n")
        assert held.line() == TEASER
        old = postfix.screener_pid()
        postfix.reload()
        until(lambda: not processes.is_alive(old), "the old process to leave")
        # Before its first client the new one does not run.
        assert refuses(port)
        greet(postfix, source="127.0.0.8")
        status = json.loads(web.get(port, "/api/status.json"))
        assert status["pid"] == postfix.screener_pid() != old
        assert status["counters"]["connections_total"] == 3


def test_unix_socket(ring):
    postfix = ring.build()
    path = postfix.directory + "/page"
    postfix.own["doorbell_http_listen"] = "unix:" + path
    postfix.start()
    greet(postfix)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o666
    assert web.get(path, "/healthz") == "ok\n"
    old = postfix.screener_pid()
    postfix.reload()
    until(lambda: not processes.is_alive(old), "the old process to leave")
    greet(postfix, source="127.0.0.8")
    assert web.get(path, "/healthz") == "ok\n"


def test_only_this_machine(ring):
    screener = ring.standalone(ring.start())
    screener.main["doorbell_http_listen"] = "inet:0.0.0.0:%d" % ring.ports.take()
    screener.configure()
    run = subprocess.run(
        [screener.postfix.screener.path, "-t", "-c", screener.file],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.returncode == 1
    assert "not a loopback address" in run.stderr
    trouble = r"warning: status page: .*not a loopback address.*going on without it"
    screener.log.expect(trouble)
    screener.start()
    screener.log.wait_for(trouble)
    with screener.connect() as client:
        client.expect(TEASER, GREETING)


def test_headers(ring):
    _, port = standalone(ring)
    for path in ("/", "/metrics", "/healthz", "/api/status.json", "/nowhere"):
        headers = web.ask(port, path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["connection"] == "close"
    assert web.ask(port, "/nowhere").status == 404
    assert web.ask(port, "/metrics/").status == 404
    assert web.ask(port, "/metrics?x=y").status == 200
    assert web.ask(port, "/%6detrics").status == 200
    assert web.ask(port, "/metrics%00").status in (200, 400, 404)


def test_page_is_escaped(ring):
    """What others have named is text; test_page.py has a browser look at it."""
    evil = "<img/src=x>&quot;'\""
    ring.lists(Zone("a.test", listed("127.0.0.3")))
    _, port = start(
        ring,
        postscreen_dnsbl_sites="a.test",
        postscreen_dnsbl_reply_map="inline:{{a.test = %s}}" % evil,
    )
    answer = web.ask(port, "/")
    page = answer.body.decode()
    assert page.count("<img") == 0
    assert page.count("&lt;img/src=x&gt;&amp;quot;") == 1
    assert page.count("<script>") == page.count("</script>") == 1
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"].split("; ")
    assert "unsafe" not in " ".join(policy)
    assert {"default-src 'none'", "frame-ancestors 'none'"} <= set(policy)
    assert page.endswith("</html>\n")


def test_methods(ring):
    _, port = standalone(ring)
    answer = web.ask(port, "/healthz", method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-length"] == "3"
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"):
        answer = web.ask(port, "/healthz", method=method)
        assert answer.status == 405, method
        assert answer.headers["allow"] == "GET, HEAD"
    assert web.ask(port, "/", method="POST", body=b"x" * 9).status == 413
    assert web.ask(port, "/", method="BREW").status >= 400


def test_other_names(ring):
    """A page from elsewhere whose name was made to lead here (DNS rebinding)."""
    _, port = standalone(ring)
    for host in ("evil.test", "evil.test:%d" % port, "127.0.0.1.evil.test"):
        assert web.ask(port, "/healthz", host=host).status == 421, host
    for host in ("localhost:1", "LOCALHOST", "[::1]:%d" % port, "127.0.0.1"):
        assert web.ask(port, "/healthz", host=host).status == 200, host


def test_bad_manners(ring):
    screener, port = standalone(ring)
    for said in (
        b"\r\n\r\n\r\n",
        b"EHLO spam.test\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 99,
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: y\r\n" * 9999 + b"\r\n",
        b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\nx",
    ):
        with web.connect(port) as s:
            try:
                s.sendall(said)
                s.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it has heard enough
            heard = web.hear(s)
            assert not heard.startswith(b"HTTP/1.1 200"), said[:40]
    # One request, one answer.
    with web.connect(port) as s:
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 50)
        assert web.hear(s).count(b"HTTP/1.1") == 1
    # Who does not listen.
    with web.connect(port) as s:
        s.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
    assert web.get(port, "/healthz") == "ok\n"
    assert screener.is_alive()


def limit_descriptors(pid, number):
    """As the user of that process: root may have no such right here."""
    subprocess.run(
        ["prlimit", "--nofile=%s:" % number, "--pid=%d" % pid],
        user=int(processes.status(pid, "Uid")[0]),
        group=int(processes.status(pid, "Gid")[0]),
        extra_groups=[],
        check=True,
    )


def test_no_descriptors(ring):
    """It waits for better times, and does not spin."""
    screener, port = standalone(ring)
    with screener.connect() as client:
        client.expect(TEASER, GREETING)
    until(lambda: web.get(port, "/healthz") == "ok\n", "the page")
    enough = processes.limit(screener.pid, "Max open files")
    limit_descriptors(screener.pid, 1)
    with web.connect(port) as s:
        s.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        before = processes.cpu_seconds(screener.pid)
        time.sleep(0.5)
        assert processes.cpu_seconds(screener.pid) - before < 0.2
        limit_descriptors(screener.pid, enough)
        assert web.parse(web.hear(s)).body == b"ok\n"


def test_slow_and_many(ring):
    """More than there is room for, a byte now and then: they are ended, others
    get their turn, and mail does not notice."""
    screener, port = standalone(ring)
    began = time.monotonic()
    slow = [web.connect(port) for _ in range(40)]
    ended = 0
    with screener.connect() as client:
        client.expect(TEASER, GREETING)
    descriptors = len(os.listdir("/proc/%d/fd" % screener.pid))
    while time.monotonic() - began < 3 * GENEROUS_S and ended < 16:
        ended = 0
        for s in slow:
            try:
                s.sendall(b"G")
            except OSError:
                ended += 1
        time.sleep(0.2)
    assert ended >= 16
    assert descriptors < 60
    for s in slow:
        s.close()
    assert web.get(port, "/healthz") == "ok\n"
