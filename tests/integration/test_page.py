# SPDX-License-Identifier: ISC
"""The status page, in a real browser: wide and narrow, light and dark, with and
without scripts. Pictures of it stay in build/browser."""

import math
import os
import random
import struct
import time

import pytest

import web
from browser import Browser
from dns import Zone, listed
from scripts import GREETING, TEASER
from waiting import until

pytestmark = [pytest.mark.standalone, pytest.mark.browser]

PICTURES = os.path.join(
    os.path.dirname(__file__), "..", "..", "build", "browser"
)
LOOKS = [
    (width, height, dark, scripts)
    for width, height in ((1280, 900), (390, 844))
    for dark in (False, True)
    for scripts in (True, False)
]
SLOT_S, SLOTS, SLOT = 300, 288, struct.Struct("<q5I4x")
EVIL = "<script>document.title=1</script><img/src=x/onerror=document.title=2>"


def remember_a_day(path):
    """Write a day of numbers into the file that doorbelld keeps them in: where
    its own slot is found, the others are."""
    dice = random.Random(1)
    with open(path, "r+b") as f:
        content = bytearray(f.read())
        now = int(time.time()) // SLOT_S
        own = [
            at
            for n in (now - 1, now)
            for at in range(0, len(content) - SLOT.size, 8)
            if content[at : at + 8] == struct.pack("<q", n)
        ][-1]
        first = own - SLOT.unpack_from(content, own)[0] % SLOTS * SLOT.size
        for n in range(now - SLOTS + 1, now):
            hour = time.localtime(n * SLOT_S).tm_hour
            day = 1.2 + math.sin((hour - 8) / 24 * 2 * math.pi)
            wave = 5 if 40 < now - n < 58 else 1
            refused = int(dice.gauss(160, 20) * day * wave)
            SLOT.pack_into(
                content,
                first + n % SLOTS * SLOT.size,
                n,
                int(dice.gauss(28, 4) * day),
                refused,
                int(dice.gauss(70, 9) * day * wave),
                refused // 12 if wave > 1 else 0,
                refused // 3 + dice.randrange(20),
            )
        f.seek(0)
        f.write(content)


@pytest.fixture
def site(ring):
    """A doorbelld with a past, DNS lists, offenders, and its page's address."""
    ring.lists(
        Zone("a.test", listed("127.0.0.3", "127.0.0.4")),
        Zone("b.test", listed("127.0.0.4")),
        Zone("c.test", listed("127.0.0.9")),
    )
    port = ring.ports.take()
    bell = ring.standalone(
        ring.start(),
        doorbell_http_listen="inet:127.0.0.1:%d" % port,
        doorbell_greet_action="enforce",
        doorbell_dnsbl_sites="a.test*2 b.test c.test",
        doorbell_dnsbl_reply_map="inline:{{c.test = %s}}" % EVIL,
    )
    bell.start()
    bell.page = "http://127.0.0.1:%d/" % port
    bell.port_of_page = port
    until(lambda: web.ask(port, "/").status == 200, "the page")
    return bell


def live(bell, stranger="127.0.0.2"):
    """A stranger passes, bots talk early."""
    with bell.connect(source=stranger) as client:
        client.expect(TEASER, GREETING)
    for last in (3, 4, 4, 7, 7, 7, 8):
        with bell.connect(source="127.0.0.%d" % last) as client:
            client.send("EHLO bot.test\r\n")
            client.line()


def restart_with_a_past(bell):
    time.sleep(1.2)  # it looks at the trend once a second
    bell.terminate()
    assert bell.wait() == 0
    remember_a_day(bell.main["data_directory"] + "/doorbell_counters")
    bell.start()


CONTRASTS = """
const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const rgba = color => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = color;
  canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
};
const light = color => {
  const [r, g, b] = rgba(color).map(v => {
    v /= 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = e => {
  for (; e; e = e.parentElement)
    if (rgba(getComputedStyle(e).backgroundColor)[3] == 255)
      return getComputedStyle(e).backgroundColor;
  return 'white';
};
const ratio = (a, b) => {
  const [low, high] = [light(a), light(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
};
const found = [];
for (const e of document.querySelectorAll('body *')) {
  const style = getComputedStyle(e), words = [...e.childNodes]
    .filter(n => n.nodeType == 3 && n.data.trim()).map(n => n.data.trim());
  if (!e.checkVisibility())
    continue;
  if (e.tagName == 'rect' && !e.closest('.meter'))
    found.push([3, ratio(style.fill, behind(e)), 'bar ' + e.getAttribute('class')]);
  if (words.length && !['title', 'SCRIPT', 'STYLE'].includes(e.tagName))
    found.push([4.5, ratio(e.tagName == 'text' ? style.fill : style.color,
                           behind(e)), words.join(' ')]);
}
return found;
"""

FAULTS = """
const faults = [], all = s => [...document.querySelectorAll(s)];
const seen = all('body *').filter(e => e.checkVisibility());
if (document.documentElement.scrollWidth > innerWidth)
  faults.push('wider than the window');
if (document.documentElement.lang != 'en') faults.push('no language');
if (all('h1').length != 1) faults.push('not one h1');
for (const e of all('svg'))
  if (e.getAttribute('aria-hidden') != 'true' &&
      !(e.getAttribute('role') == 'img' && e.querySelector('title').textContent))
    faults.push('a picture without a name');
for (const e of all('th'))
  if (!e.scope) faults.push('a heading without scope: ' + e.textContent);
for (const e of all('[aria-labelledby]'))
  if (!document.getElementById(e.getAttribute('aria-labelledby')))
    faults.push('named by nothing: ' + e.id);
const ids = all('[id]').map(e => e.id);
if (new Set(ids).size != ids.length) faults.push('an id twice');
for (const e of all('.scroll'))
  if (e.scrollWidth > e.clientWidth && e.tabIndex != 0)
    faults.push('out of reach of the keyboard: ' + e.id);
for (const e of seen.filter(e => e.tagName == 'text')) {
  if (e.getBoundingClientRect().height < 9)
    faults.push('too small to read: ' + e.textContent);
  const at = e.getBBox(), room = e.ownerSVGElement.viewBox.baseVal;
  if (at.x < -1 || at.x + at.width > room.width + 1)
    faults.push('outside of its picture: ' + e.textContent);
}
for (const e of performance.getEntriesByType('resource'))
  if (new URL(e.name).pathname != '/') faults.push('loads ' + e.name);
return faults;
"""


def test_every_look(ring, site):
    live(site)
    restart_with_a_past(site)
    live(site, "127.0.0.5")
    with Browser(ring.ports.take()) as browser:
        for width, height, dark, scripts in LOOKS:
            name = "%s-%s%s" % (
                "phone" if width < 700 else "desktop",
                "dark" if dark else "light",
                "" if scripts else "-no-scripts",
            )
            browser.looks_like(width, height, dark, scripts)
            browser.open(site.page)
            browser.picture(os.path.join(PICTURES, name + ".png"))
            assert browser.run(FAULTS) == [], name
            contrasts = browser.run(CONTRASTS)
            assert len(contrasts) > 200
            poor = [c for c in contrasts if c[1] < c[0]]
            assert poor == [], name
            text = browser.run("return document.body.innerText")
            for words in (
                "mx.example.test",
                "All is well",
                "brought no mail",
                "127.0.0.7",
                "a.test",
                EVIL,
            ):
                assert words in text, (name, words)
            assert ("reload it" in text) == (not scripts), name
            assert browser.run("return document.images.length") == 0
            assert browser.run("return document.title") == "mx.example.test - doorbell"
        assert browser.complaints() == []


def test_nothing_yet(ring, site):
    """A page before the first client."""
    with Browser(ring.ports.take()) as browser:
        for width, height in ((1280, 900), (390, 844)):
            browser.looks_like(width, height)
            browser.open(site.page)
            assert browser.run(FAULTS) == []
            text = browser.run("return document.body.innerText")
            assert "The last day: nobody came" in text
            assert "Nobody, of late." in text
        assert browser.complaints() == []


def test_keeps_itself_up_to_date(ring, site):
    with Browser(ring.ports.take()) as browser:
        browser.looks_like(390, 400)
        browser.open(site.page)
        shown = lambda: browser.run("return document.body.innerText")
        assert "127.0.0.7" not in shown()
        browser.run(
            "const e = document.getElementById('lists-table');"
            "e.scrollLeft = 40; e.focus()"
        )
        live(site)
        until(lambda: "127.0.0.7" in shown(), "what is new")
        # Who reads keeps his place.
        assert browser.run(
            "return [document.activeElement.id,"
            " document.getElementById('lists-table').scrollLeft]"
        ) == ["lists-table", 40]
        assert "does not answer" not in shown()
        site.terminate()
        assert site.wait() == 0
        until(lambda: "does not answer" in shown(), "the alarm")
        site.start()
        until(lambda: "does not answer" not in shown(), "the end of it")
        said = [c for c in browser.complaints() if "net::ERR_" not in c]
        assert said == []


def test_trouble(ring, site):
    """What /healthz says stands on the page."""
    queue = site.main["queue_directory"]
    os.rename(queue + "/private/smtpd", queue + "/private/gone")
    site.log.expect(r"warning: cannot connect to service .*")
    with site.connect() as client:
        client.reply()
    with Browser(ring.ports.take()) as browser:
        for dark in False, True:
            browser.looks_like(390, 844, dark)
            browser.open(site.page)
            name = "trouble-%s.png" % ("dark" if dark else "light")
            browser.picture(os.path.join(PICTURES, name))
            text = browser.run("return document.body.innerText")
            assert "In trouble" in text
            assert "smtpd cannot be reached" in text
            poor = [c for c in browser.run(CONTRASTS) if c[1] < c[0]]
            assert poor == []
            assert browser.run(FAULTS) == []
    os.rename(queue + "/private/gone", queue + "/private/smtpd")
