# SPDX-License-Identifier: ISC
"""Strangers are tested once, known clients pass at once."""

from scripts import CONNECT, GREETING, PASS_NEW, PASS_OLD, TEASER


def test_stranger_passes_new_then_known_client_passes_old(ring):
    postfix = ring.start()

    with postfix.connect() as stranger:
        stranger.expect(TEASER, GREETING)
        waited = stranger.age()
        stranger.deliver(subject="first")
    least = ring.screener.greet_wait - ring.screener.inexact
    assert least <= waited
    postfix.log.tells(stranger, CONNECT, PASS_NEW)

    with postfix.connect() as known:
        known.expect(GREETING)
        assert known.age() < 0.9
        known.deliver(subject="second")
    postfix.log.tells(known, CONNECT, PASS_OLD)

    for subject in "first", "second":
        text = postfix.wait_for_mail(subject)
        assert "Received: from client.test (unknown [127.0.0.2])" in text
