# SPDX-License-Identifier: ISC
"""`make install`: everything where Debian looks for it, and nothing left by
`make uninstall`."""

import os
import subprocess

import pytest

pytestmark = pytest.mark.standalone

SOURCE = os.path.join(os.path.dirname(__file__), "..", "..")


def make(screener, *words):
    build = os.path.dirname(screener.path)
    subprocess.run(
        ["make", "-s", "-C", SOURCE, "B=" + build, "-o", "all", *words],
        check=True,
        env={"PATH": os.environ["PATH"]},
    )


def files(root):
    return {
        os.path.relpath(os.path.join(directory, name), root)
        for directory, _, names in os.walk(root)
        for name in names
    }


def contents(root):
    found = {}
    for name in files(root):
        with open(os.path.join(root, name), "rb") as f:
            found[name] = f.read()
    return found


def test_install_and_uninstall(ring, tmp_path):
    root = str(tmp_path)
    make(ring.screener, "install", "DESTDIR=" + root)
    there = files(root)
    assert there >= {
        "usr/lib/postfix/sbin/doorbelld",
        "usr/sbin/doorbelld",
        "usr/sbin/doorbellctl",
        "usr/share/man/man5/doorbell.cf.5",
        "usr/share/man/man8/doorbelld.8",
        "usr/share/doc/doorbell/doorbell.cf",
        "usr/share/doc/doorbell/grafana-dashboard.json",
        "usr/share/doc/doorbell/prometheus-alerts.yml",
        "usr/lib/systemd/system/doorbelld.service",
        "usr/lib/systemd/system/doorbelld.socket",
        "usr/lib/systemd/system/doorbell-offenders.service",
        "usr/lib/systemd/system/doorbell-offenders.timer",
        "usr/lib/sysusers.d/doorbell.conf",
        "usr/lib/tmpfiles.d/doorbell.conf",
    }
    # Whatever conf/ and man/ have is somewhere, maybe by another name.
    installed = set(contents(root).values())
    for folder in "conf", "man":
        for name, text in contents(os.path.join(SOURCE, folder)).items():
            assert text in installed, name
    version = subprocess.run(
        [root + "/usr/sbin/doorbelld", "-V"], capture_output=True, text=True
    )
    assert version.stdout.startswith("doorbelld ")
    make(ring.screener, "uninstall", "DESTDIR=" + root)
    assert files(root) == set()


def test_another_prefix(ring, tmp_path):
    """The units start the programs that were installed with them."""
    root = str(tmp_path)
    make(ring.screener, "install", "DESTDIR=" + root, "PREFIX=/opt/bell")
    units = root + "/opt/bell/lib/systemd/system/"
    with open(units + "doorbelld.service") as f:
        assert "ExecStart=/opt/bell/sbin/doorbelld -f\n" in f.read()
    with open(units + "doorbell-offenders.service") as f:
        text = f.read()
    assert "/opt/bell/sbin/doorbellctl " in text
    assert "/usr/sbin/nft " in text  # is not ours
    assert all(name.startswith("opt/bell/") for name in files(root))
