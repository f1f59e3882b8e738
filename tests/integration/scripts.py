# SPDX-License-Identifier: ISC
"""Words and dialogues that many scenarios share."""

CONNECT = "CONNECT from C to S"
PASS_NEW = "PASS NEW C"
PASS_OLD = "PASS OLD C"
DISCONNECT = "DISCONNECT C"

TEASER = "220-mx.example.test ESMTP ring"
GREETING = "220 mx.example.test ESMTP ring"
BUSY = "421 4.3.2 All server ports are busy"


def passes(postfix, verdict=PASS_NEW, subject="ring", **where):
    """A client that is greeted, delivers, and is logged with this verdict."""
    with postfix.connect(**where) as client:
        greeted(client, verdict)
        client.deliver(subject=subject)
    postfix.log.tells(client, CONNECT, verdict)
    return client


def greeted(client, verdict=PASS_NEW):
    """The greeting that goes with a verdict at the door."""
    if verdict == PASS_NEW:
        client.expect(TEASER, GREETING)
    else:
        client.expect(GREETING)


def refused(client, reply):
    """The dialogue of a client that is refused at RCPT, up to its end."""
    ehlo = client.ask("EHLO bot.test")
    assert ehlo.lines[0] == "250-mx.example.test"
    assert "250-PIPELINING" not in ehlo.lines, "this is smtpd"
    client.ask("MAIL FROM:<a@bot.test>", "250 2.1.0 Ok")
    client.ask("RCPT TO:<b@example.test>", reply)
    client.ask("QUIT", "221 2.0.0 Bye")
    assert client.end() == b""


def noqueue(reply, proto="ESMTP", helo="bot.test"):
    """The line about the recipient of refused()."""
    return (
        "NOQUEUE: reject: RCPT from C: %s; from=<a@bot.test>, "
        "to=<b@example.test>, proto=%s, helo=<%s>" % (reply, proto, helo)
    )
