# SPDX-License-Identifier: ISC
"""What sites change about the dialogue: footers, filters, EHLO keywords."""

import re

import pytest

from scripts import CONNECT, DISCONNECT, GREETING, noqueue
from test_dialogue import DENIED, EHLO, NAME, REFUSAL, UNKNOWN, denied, talk

STAMP = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d\d \d\d:\d\d:\d\d"


def without(*keywords):
    """The lines of EHLO when these are hidden."""
    lines = [
        line[4:] for line in EHLO if line[4:].split()[0] not in keywords
    ]
    return ["250-" + line for line in lines[:-1]] + ["250 " + lines[-1]]


def replacing(old, new):
    return 'C: replacing command "%s" with "%s"' % (old, new)


# --- reject_footer ------------------------------------------------------------


def test_footer_is_behind_every_refusal_and_never_in_the_log(ring):
    postfix = denied(
        ring,
        postscreen_reject_footer=r"Call $client_address port $client_port\nof"
        r" $server_name ($localtime)",
    )
    with postfix.connect() as client:
        client.expect(GREETING)
        where = "Call %s port %d" % (client.address, client.port)
        for command, text in (
            ("FOO", "502-5.5.2 Error: command not recognized"),
            ("EHLO", "501-Syntax: EHLO hostname"),
            ("ETRN", "500-Syntax: ETRN domain"),
            ("DATA", "503-5.5.1 Error: need RCPT command"),
        ):
            lines = client.ask(command).lines
            head = re.match(r"\d{3}-(?:\d\.\d\.\d )?", text)[0]
            assert lines[:2] == [text, head + where]
            last = re.escape(head.replace("-", " ", 1) + "of " + NAME)
            assert re.fullmatch(last + r" \(%s\)" % STAMP, lines[2]), lines
        assert client.end() == b""
    postfix.log.tells(
        client, CONNECT, DENIED, "DATA without valid RCPT from C", DISCONNECT
    )


def test_footer_of_a_refused_recipient(ring):
    postfix = denied(ring, postscreen_reject_footer=r"\c. Call us")
    with postfix.connect() as client:
        client.expect(GREETING)
        talk(
            client,
            [
                ("EHLO bot.test", EHLO),
                ("MAIL FROM:<a@bot.test>", "250 2.1.0 Ok"),
                ("RCPT TO:<b@example.test>", REFUSAL + ". Call us"),
                ("VRFY root", REFUSAL + ". Call us"),
                ("QUIT", "221 2.0.0 Bye"),
            ],
        )
    postfix.log.tells(client, CONNECT, DENIED, noqueue(REFUSAL), DISCONNECT)


def test_footer_of_a_goodbye(ring):
    postfix = denied(
        ring,
        postscreen_denylist_action="drop",
        postscreen_reject_footer=r"Call us\n",
    )
    with postfix.connect() as client:
        client.expect(
            "521-5.3.2 Service currently unavailable",
            "521-5.3.2 Call us",
            "521 5.3.2 ",
        )
        assert client.end() == b""


def test_footer_of_a_limit(ring):
    postfix = denied(
        ring,
        postscreen_command_count_limit="1",
        postscreen_reject_footer="Call us",
    )
    with postfix.connect() as client:
        client.expect(GREETING)
        talk(client, [("NOOP", "250 2.0.0 Ok")])
        client.ask(
            "NOOP",
            "421-%s Service unavailable - try again later" % NAME,
            "421 Call us",
        )
        assert client.end() == b""


def test_footer_is_inherited_from_smtpd(ring):
    postfix = denied(ring, smtpd_reject_footer=r"\c; $server_name")
    with postfix.connect() as client:
        client.expect(GREETING)
        talk(client, [("FOO", UNKNOWN + "; " + NAME)])


def test_footer_over_several_lines_of_main_cf(ring):
    postfix = denied(
        ring, postscreen_reject_footer="Call\n  # nobody\n  us,\n \\nor\n write"
    )
    with postfix.connect() as client:
        client.expect(GREETING)
        talk(
            client,
            [
                (
                    "FOO",
                    [
                        UNKNOWN.replace(" ", "-", 1),
                        "502-5.5.2 Call  us, ",
                        "502 5.5.2 or write",
                    ],
                )
            ],
        )


def test_footer_maps(ring):
    postfix = denied(
        ring,
        postscreen_reject_footer="everyone",
        # A dollar sign of the footer is doubled for the table, and each of
        # them for main.cf.
        postscreen_reject_footer_maps="pcre:{"
        "{/^502 5.5.2 Error: command not recognized$$/"
        " unknown to $$$$server_name},"
        "{/^501 (.*)$$/ \\c ($$1)}} "
        "pcre:{{/^50[12]/ never}, {/^500/ second}}",
    )
    with postfix.connect() as client:
        client.expect(GREETING)
        talk(
            client,
            [
                (
                    "FOO",
                    [UNKNOWN.replace(" ", "-", 1), "502 5.5.2 unknown to " + NAME],
                ),
                ("HELO", "501 Syntax: HELO hostname (Syntax: HELO hostname)"),
                ("ETRN", ["500-Syntax: ETRN domain", "500 second"]),
                (
                    "RCPT TO:<a>",
                    [
                        "503-5.5.1 Error: need MAIL command",
                        "503 5.5.1 everyone",
                    ],
                ),
                ("NOOP", "250 2.0.0 Ok"),
            ],
        )


def test_footer_maps_know_replies_before_soft_bounce(ring):
    postfix = denied(
        ring,
        soft_bounce="yes",
        postscreen_reject_footer_maps="pcre:{{/^5/ hard}, {/^4/ soft}}",
    )
    with postfix.connect() as client:
        client.expect(GREETING)
        talk(
            client,
            [
                (
                    "FOO",
                    [
                        "402-4.5.2 Error: command not recognized",
                        "402 4.5.2 hard",
                    ],
                ),
                ("ETRN x", ["458-Unable to queue messages", "458 soft"]),
            ],
        )


def test_footer_values_are_filtered(ring):
    postfix = denied(
        ring,
        postscreen_expansion_filter=r"0123456789\40",
        postscreen_reject_footer="a.b $client_address ${localtime} $$x"
        " ${client_port?yes} ${client_port:no} $(server_name)",
    )
    with postfix.connect() as client:
        client.expect(GREETING)
        lines = client.ask("HELO").lines
        assert lines[0] == "501-Syntax: HELO hostname"
        assert re.fullmatch(
            r"501 a\.b %s ___ \d\d \d\d_\d\d_\d\d \$x yes  %s"
            % (client.address.replace(".", "_"), "_" * len(NAME)),
            lines[1],
        )


def test_footer_with_an_unknown_name(ring):
    postfix = denied(ring, postscreen_reject_footer="<$sender>")
    warning = r'warning: unknown macro name "sender" in expansion request'
    postfix.log.expect(warning)
    with postfix.connect() as client:
        client.expect(GREETING)
        client.ask("HELO", "501-Syntax: HELO hostname", "501 <>")
    postfix.log.wait_for(warning)


def test_footer_that_makes_no_sense(ring):
    postfix = denied(ring, postscreen_reject_footer="call $ now")
    postfix.log.expect(r"warning: .*macro.*|warning: reject footer not used.*")
    with postfix.connect() as client:
        client.expect(GREETING)
        lines = client.ask("HELO").lines
        assert lines[0][4:] == "Syntax: HELO hostname"


# --- command_filter -----------------------------------------------------------


def test_filter(ring):
    postfix = denied(
        ring,
        postscreen_command_filter="pcre:{"
        "{/^HI (.*)/ HELO $$1},"
        "{/^BYE$$/ QUIT},"
        "{/^NOOP$$/ HELP}}",
    )
    with postfix.connect() as client:
        client.expect(GREETING)
        talk(
            client,
            [
                ("  hi  there ", "250 " + NAME),
                ("NOOP", UNKNOWN),
                ("NOOP x", "250 2.0.0 Ok"),
                ("bye", "221 2.0.0 Bye"),
            ],
        )
        assert client.end() == b""
    postfix.log.tells(
        client,
        CONNECT,
        DENIED,
        replacing("  hi  there ", "HELO  there "),
        replacing("NOOP", "HELP"),
        replacing("bye", "QUIT"),
        DISCONNECT,
    )


def test_filter_of_odd_lines(ring):
    postfix = denied(
        ring, postscreen_command_filter="regexp:{{/^foo/ NOOP}}"
    )
    with postfix.connect() as client:
        client.expect(GREETING)
        for line, reply in (
            (b"foo a\0b", "250 2.0.0 Ok"),
            (b"\tfoo", "250 2.0.0 Ok"),
            (b"foo \xc3\xb6", "250 2.0.0 Ok"),
            (b"foo \xff", UNKNOWN),
            (b"foo" + b"x" * 200, "250 2.0.0 Ok"),
        ):
            client.send(line + b"\r\n")
            client.expect(reply)
        client.ask("QUIT", "221 2.0.0 Bye")
    postfix.log.tells(
        client,
        CONNECT,
        DENIED,
        replacing("foo a", "NOOP"),
        replacing("?foo", "NOOP"),
        replacing("foo ö", "NOOP"),
        replacing("foo" + "x" * 97, "NOOP"),
        DISCONNECT,
    )


@pytest.mark.own
def test_changed_tables_are_taken_up(ring):
    postfix = ring.build(
        postscreen_access_list="static:reject",
        postscreen_denylist_action="enforce",
        postscreen_greet_banner="",
    )
    tables = {
        "postscreen_command_filter": "foo NOOP",
        "postscreen_forbidden_commands": "foo x",
        "postscreen_discard_ehlo_keyword_address_maps": "127.0.0.2 dsn",
        "postscreen_reject_footer_maps": "x y",
    }
    for name, text in tables.items():
        path = postfix.file(name, text + "\n")
        postfix.main[name] = "texthash:" + path
    postfix.start()
    with postfix.connect() as client:
        client.expect(GREETING)
        talk(client, [("FOO", "250 2.0.0 Ok"), ("BAR", UNKNOWN)])
    for name in tables:
        postfix.file(name, "bar NOOP\n")
        postfix.log.wait_for(
            "%s: a changed table was taken up"
            % name.replace("postscreen", "doorbell")
        )
    with postfix.connect() as client:
        client.expect(GREETING)
        talk(client, [("FOO", UNKNOWN), ("BAR", "250 2.0.0 Ok")])


# --- EHLO keywords --------------------------------------------------------------


def test_keywords_hidden_from_all(ring):
    postfix = denied(
        ring, postscreen_discard_ehlo_keywords="vrfy, Dsn 8BITMIME pipelining"
    )
    with postfix.connect() as client:
        client.expect(GREETING)
        talk(
            client,
            [
                ("EHLO a", without("VRFY", "DSN", "8BITMIME")),
                ("VRFY root", REFUSAL),
                ("QUIT", "221 2.0.0 Bye"),
            ],
        )
    postfix.log.tells(client, CONNECT, DENIED, DISCONNECT)


def test_keywords_are_inherited_from_smtpd(ring):
    postfix = denied(ring, smtpd_discard_ehlo_keywords="etrn")
    with postfix.connect() as client:
        client.expect(GREETING)
        talk(client, [("EHLO a", without("ETRN"))])


def test_hidden_chunking_is_refused(ring):
    postfix = denied(ring, postscreen_discard_ehlo_keywords="chunking")
    with postfix.connect() as client:
        client.expect(GREETING)
        talk(
            client,
            [
                ("EHLO a", without("CHUNKING")),
                ("BDAT 1", "502 5.5.1 Error: command not implemented"),
            ],
        )
        assert client.end() == b""


@pytest.mark.parametrize(
    "address,hidden,logged",
    [
        ("127.0.0.2", ["ETRN"], "ETRN"),
        ("127.0.0.3", ["SMTPUTF8"], None),
        ("127.0.0.4", ["VRFY", "DSN"], None),
        ("127.0.0.5", [], None),
        ("127.0.0.6", ["VRFY", "DSN"], None),
    ],
    ids=["other", "silent", "the-same", "none-silently", "not-in-the-map"],
)
def test_keywords_by_address(ring, address, hidden, logged):
    postfix = denied(
        ring,
        postscreen_discard_ehlo_keywords="vrfy dsn",
        postscreen_discard_ehlo_keyword_address_maps="inline:{127.0.0.2=etrn,"
        " {127.0.0.3=smtputf8 silent-discard}, {127.0.0.4=dsn,vrfy}}"
        " inline:{127.0.0.2=size, 127.0.0.5=silent-discard}",
    )
    line = [ring.screener.discarding(logged)] if logged else []
    with postfix.connect(source=address) as client:
        client.expect(GREETING)
        talk(
            client,
            [
                ("EHLO a", without(*hidden)),
                ("HELO a", "250 " + NAME),
                ("EHLO b", without(*hidden)),
                ("QUIT", "221 2.0.0 Bye"),
            ],
        )
    postfix.log.wait_for("DISCONNECT " + re.escape(client.me))
    # postscreen writes the client without a colon in the middle.
    found = postfix.log.find(
        r"\[%s\]:?%d: discarding.*" % (re.escape(address), client.port)
    )
    assert [m[0] for m in found] == [
        text % (client.address, client.port) for text in 2 * line
    ]


def test_unknown_keyword_is_reported(ring):
    postfix = ring.build(postscreen_discard_ehlo_keywords="pipeline, vrfy")
    postfix.log.expect(r"warning: .*unknown EHLO keyword.*")
    postfix.start()
    if ring.screener.is_doorbelld:
        postfix.connect().close()
        postfix.log.wait_for(
            "warning: doorbell_discard_ehlo_keywords: "
            'unknown EHLO keyword "pipeline"'
        )


# --- SMTPUTF8 -----------------------------------------------------------------


def test_without_smtputf8(ring):
    postfix = denied(ring, smtputf8_enable="no")
    with postfix.connect() as client:
        client.expect(GREETING)
        talk(
            client,
            [
                ("EHLO ö", without("SMTPUTF8")),
                ("MAIL FROM:<ä@b.test>", "250 2.1.0 Ok"),
                ("RCPT TO:<c@d.test>", REFUSAL),
                ("QUIT", "221 2.0.0 Bye"),
            ],
        )
    postfix.log.tells(
        client,
        CONNECT,
        DENIED,
        "NOQUEUE: reject: RCPT from C: %s; from=<??@b.test>, to=<c@d.test>,"
        " proto=ESMTP, helo=<??>" % REFUSAL,
        DISCONNECT,
    )


def test_with_smtputf8(ring):
    postfix = denied(ring)
    with postfix.connect() as client:
        client.expect(GREETING)
        talk(
            client,
            [
                ("EHLO ö", EHLO),
                ("MAIL FROM:<ä@b.test> SMTPUTF8", "250 2.1.0 Ok"),
                ("RCPT TO:<c@d.test>", REFUSAL),
            ],
        )
        client.send(b"RCPT TO:<\xff@d.test>\r\n")
        client.expect(REFUSAL)
        client.ask("QUIT", "221 2.0.0 Bye")
    line = (
        "NOQUEUE: reject: RCPT from C: %s; from=<ä@b.test>, to=<%s@d.test>,"
        " proto=ESMTP, helo=<ö>"
    )
    postfix.log.tells(
        client,
        CONNECT,
        DENIED,
        line % (REFUSAL, "c"),
        line % (REFUSAL, "?"),
        DISCONNECT,
    )
