# SPDX-License-Identifier: ISC
"""What conf/ has for those who watch: every metric that is named there is one
that doorbelld has, and the tools read the files."""

import json
import os
import re
import shutil
import subprocess
import urllib.request

import pytest

from dns import Zone, listed
from scripts import PASS_NEW, passes

pytestmark = [pytest.mark.standalone, pytest.mark.dnsbl]

CONF = os.path.join(os.path.dirname(__file__), "..", "..", "conf")
ALERTS = os.path.join(CONF, "prometheus-alerts.yml")
DASHBOARD = os.path.join(CONF, "grafana-dashboard.json")


def expressions():
    with open(ALERTS) as f:
        yield from re.findall(r"^\s+expr: (.*)$", f.read(), re.M)
    with open(DASHBOARD) as f:
        dashboard = json.load(f)
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]


@pytest.fixture
def samples(ring):
    """{metric: {label: values}} of a doorbelld with lists and a client."""
    ring.lists(Zone("bl.test", listed("127.0.0.5")))
    bell = ring.standalone(ring.start(), doorbell_dnsbl_sites="bl.test")
    port = ring.ports.take()
    bell.main["doorbell_http_listen"] = "inet:127.0.0.1:%d" % port
    passes(bell.start(), PASS_NEW)
    with urllib.request.urlopen(
        "http://127.0.0.1:%d/metrics" % port, timeout=20
    ) as answer:
        text = answer.read().decode()
    found = {}
    for name, labels in re.findall(r"^(\w+)(?:\{(.*?)\})? ", text, re.M):
        known = found.setdefault(name, {})
        for label, value in re.findall(r'(\w+)="(.*?)"', labels):
            known.setdefault(label, set()).add(value)
    return found


def test_alerts_and_dashboard_name_what_there_is(samples):
    named = 0
    for expression in expressions():
        for name, matchers in re.findall(
            r"(doorbell_\w+)(?:\{(.*?)\})?", expression
        ):
            named += 1
            assert name in samples, expression
            for label, words in re.findall(r'(\w+)=~"([\w|]+)"', matchers):
                assert set(words.split("|")) <= samples[name][label], expression
        # Labels by which sums are made.
        for labels in re.findall(r"by \(([^)]*)\)", expression):
            have = set().union(
                {"instance"},
                *(
                    samples[name]
                    for name in re.findall(r"doorbell_\w+", expression)
                )
            )
            assert set(re.split(r",\s*", labels)) <= have, expression
    assert named > 40


def test_prometheus_reads_the_alerts():
    promtool = shutil.which("promtool")
    assert promtool, "promtool is missing"
    run = subprocess.run(
        [promtool, "check", "rules", ALERTS], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_panels_do_not_overlap():
    with open(DASHBOARD) as f:
        panels = json.load(f)["panels"]
    taken = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)
