# SPDX-License-Identifier: ISC
"""Strangers are tested once, known clients pass at once."""

from logs import same


def test_stranger_passes_new_then_known_client_passes_old(ring):
    postfix = ring.start()

    with postfix.connect() as stranger:
        stranger.expect("220-mx.example.test ESMTP ring",
                        "220 mx.example.test ESMTP ring")
        waited = stranger.age()
        stranger.deliver(subject="first")
    least = ring.screener.greet_wait - ring.screener.inexact
    assert least <= waited
    same(postfix.log.of(stranger), ["CONNECT from C to S", "PASS NEW C"])

    with postfix.connect() as known:
        known.expect("220 mx.example.test ESMTP ring")
        assert known.age() < 0.9
        known.deliver(subject="second")
    same(postfix.log.of(known), ["CONNECT from C to S", "PASS OLD C"])

    for subject in "first", "second":
        text = postfix.wait_for_mail(subject)
        assert "Received: from client.test (unknown [127.0.0.2])" in text
