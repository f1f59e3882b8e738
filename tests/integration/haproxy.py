# SPDX-License-Identifier: ISC
"""A real haproxy(1) in front of an instance."""

import os
import shutil
import socket
import subprocess

from client import Client
from waiting import GENEROUS_S, until

PROGRAM = shutil.which(
    "haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin"
)

CONFIG = """\
defaults
    mode tcp
    timeout connect 20s
    timeout client 60s
    timeout server 60s
listen mx
    bind 127.0.0.1:{port}
    {options}
    server mx 127.0.0.1:{behind} {words} check check-send-proxy inter 500ms
    server witness 127.0.0.1:{witness} {words} check inter 500ms backup
"""


class Haproxy:
    """It announces its clients, and looks every half a second if we live.

    It looks at a witness just as often, which can tell how often that was."""

    def __init__(self, directory, ports, postfix, words, options=""):
        self.port = ports.take()
        self._witness = socket.create_server(("127.0.0.1", 0))
        self._witness.settimeout(GENEROUS_S)
        path = os.path.join(directory, "haproxy.cfg")
        with open(path, "w") as f:
            f.write(
                CONFIG.format(
                    port=self.port,
                    behind=postfix.port,
                    witness=self._witness.getsockname()[1],
                    words=words,
                    options=options,
                )
            )
        self._process = subprocess.Popen(
            [PROGRAM, "-db", "-q", "-f", path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._listens, "haproxy")

    def _listens(self):
        assert self._process.poll() is None, "haproxy does not run"
        try:
            self.connect("127.0.0.1").reset()
        except ConnectionRefusedError:
            return False
        return True

    def wait_for_checks(self, count):
        """Until the witness has been checked so many times more."""
        for _ in range(count):
            self._witness.accept()[0].close()

    def connect(self, source):
        return Client("127.0.0.1", self.port, source)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(GENEROUS_S)
        self._witness.close()
