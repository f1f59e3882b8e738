#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""doorbelld at work: a private Postfix, a DNS list, good clients and bad ones.

Everything happens on loopback, in a temporary directory, and is gone in the
end. `make demo` runs this."""

import os
import shutil
import sys
import tempfile
import time

sys.path.insert(
    0,
    os.path.join(
        os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
        "integration",
    ),
)

from client import Client  # noqa: E402
from dns import Rbldnsd, Zone, listed  # noqa: E402
from namespace import Host  # noqa: E402
from ports import Ports  # noqa: E402
from postfix import Postfix  # noqa: E402
from screener import Screener  # noqa: E402

GOOD, ANOTHER, PREGREETER, LISTED = (
    "127.0.0.2",
    "127.0.0.3",
    "127.0.0.55",
    "127.0.0.66",
)
ZOMBIES = ["127.0.7.%d" % n for n in range(1, 51)]
RECIPIENT = "inbox@example.test"


class Stage:
    """The private Postfix and what it writes in its log."""

    def __init__(self, directory):
        self.ports = Ports()
        screener = Screener("doorbelld")
        dns = os.path.join(directory, "dns")
        mail = os.path.join(directory, "postfix")
        for path in dns, mail:
            os.mkdir(path)
            os.chmod(path, 0o755)
        self.rbldnsd = Rbldnsd(dns, Host(), self.ports.take())
        self.rbldnsd.serve(Zone("bl.example.test", listed(LISTED)))
        self.postfix = Postfix(mail, self.ports, screener)
        self.postfix.own.update(
            {
                "doorbell_greet_wait": "3s",
                "doorbell_greet_action": "enforce",
                "doorbell_dnsbl_sites": "bl.example.test*2",
                "doorbell_dnsbl_threshold": "2",
                "doorbell_dnsbl_action": "enforce",
                "doorbell_dns_servers": self.rbldnsd.address,
                "doorbell_dnsbl_skip_networks": "",
                # A good client has the address of the test entry.
                "doorbell_dnsbl_selftest_interval": "0s",
            }
        )
        self.postfix.main["smtpd_banner"] = "$myhostname ESMTP"
        self.postfix.start()
        self.shown = 0
        self.show_log(quietly=True)

    def connect(self, source):
        return Client("127.0.0.1", self.postfix.port, source)

    def show_log(self, client=None, until=None, quietly=False):
        """Print the lines that are new, once `until` is among them."""
        log = self.postfix.log
        if until is not None:
            log.wait_for(until)
        log.refresh()
        for line in log.lines[self.shown :]:
            if quietly or not _is_about(line, client):
                continue
            print("      log: %s[%d]: %s" % (line.tag, line.pid, line.text))
        self.shown = len(log.lines)

    def close(self):
        self.postfix.clean_up()
        self.rbldnsd.kill()
        self.ports.release()


def _is_about(line, client):
    """Lines of the screener that name this client."""
    if line.tag.endswith("/dnsblog"):
        return ("addr %s listed" % client.address) in line.text
    return line.tag.endswith("/postscreen") and client.me in line.text


def duration(seconds):
    if seconds < 1:
        return "%.1f ms" % (seconds * 1000)
    return "%.2f s" % seconds


def say(text):
    print(text, flush=True)


def scene(number, title):
    say("\n%d. %s" % (number, title))


def escape(client):
    return client.me.replace("[", r"\[").replace("]", r"\]")


def deliver(stage, source, subject):
    """A client with manners; how long it waited for the greeting."""
    client = stage.connect(source)
    greeting = client.reply()
    waited = client.age()
    say("      <<< %s   (after %s)" % (greeting.lines[-1], duration(waited)))
    client.deliver(recipient=RECIPIENT, subject=subject)
    stage.postfix.wait_for_mail(subject)
    say("      the mail is in the mailbox")
    stage.show_log(client, r"PASS \w+ %s" % escape(client))
    return waited


def refused(stage, client):
    for command in (
        "MAIL FROM:<spammer@bot.test>",
        "RCPT TO:<%s>" % RECIPIENT,
        "QUIT",
    ):
        say("      >>> %s" % command)
        say("      <<< %s" % client.ask(command).lines[-1])
    client.end()
    stage.show_log(client, r"DISCONNECT %s" % escape(client))


def play(stage):
    scene(1, "A stranger with manners: tested once, then its mail goes through")
    deliver(stage, GOOD, "first")

    scene(2, "The same client again: known, no wait")
    waited = deliver(stage, GOOD, "second")

    scene(3, "A bot that talks before its turn (pregreet)")
    client = stage.connect(PREGREETER)
    say("      <<< %s" % client.line())
    say("      >>> EHLO bot.test      (without waiting for the greeting)")
    client.send("EHLO bot.test\r\n")
    say("      <<< %s" % client.reply().lines[-1])
    refused(stage, client)

    scene(4, "A client on a DNS block list")
    client = stage.connect(LISTED)
    say("      <<< %s" % client.reply().lines[-1])
    client.ask("EHLO listed.test")
    refused(stage, client)

    scene(
        5,
        "%d silent zombies hold connections; good clients get through"
        % len(ZOMBIES),
    )
    zombies = [stage.connect(source) for source in ZOMBIES]
    for zombie in zombies:
        zombie.line()
    say("      %d zombies are connected and say nothing" % len(zombies))
    deliver(stage, GOOD, "third")
    deliver(stage, ANOTHER, "fourth")
    for zombie in zombies:
        zombie.close()

    say(
        "\nThe known client waited %s. Who talked early or was listed never"
        " reached smtpd.\nThis was a private Postfix under %s; it is gone now."
        % (duration(waited), stage.postfix.directory)
    )


def main():
    if os.geteuid() != 0:
        sys.exit("The demo runs a Postfix of its own, so it has to be root.")
    directory = tempfile.mkdtemp(prefix="doorbell-demo.")
    os.chmod(directory, 0o755)
    begun = time.monotonic()
    stage = None
    try:
        stage = Stage(directory)
        play(stage)
    finally:
        if stage is not None:
            stage.close()
        shutil.rmtree(directory)
    say("(%.0f s)" % (time.monotonic() - begun))


if __name__ == "__main__":
    main()
