# SPDX-License-Identifier: ISC
"""A real Chromium without a screen, driven by plain WebDriver over HTTP."""

import base64
import http.client
import json
import os
import shutil
import subprocess
import tempfile

from waiting import GENEROUS_S, until

DRIVER, PROGRAM = "chromedriver", "chromium"


class Browser:
    """One window; also a context manager."""

    def __init__(self, port):
        self.port = port
        self._profile = tempfile.mkdtemp(prefix="ring.chromium.")
        self._driver = self._session = None

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_):
        if self._session:
            self._ask("DELETE", self._session)
        self._end()

    def _start(self):
        self._driver = subprocess.Popen(
            [DRIVER, "--port=%d" % self.port],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._is_ready, "chromedriver")
        options = {
            "binary": shutil.which(PROGRAM),
            "args": [
                "--headless=new",
                "--no-sandbox",  # of root
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--user-data-dir=" + self._profile,
            ],
        }
        wanted = {
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        answer = self._ask(
            "POST", "/session", {"capabilities": {"alwaysMatch": wanted}}
        )
        self._session = "/session/" + answer["sessionId"]

    def _end(self):
        if self._driver:
            self._driver.terminate()
            self._driver.wait(GENEROUS_S)
        shutil.rmtree(self._profile, ignore_errors=True)

    def _is_ready(self):
        try:
            return self._ask("GET", "/status")["ready"]
        except OSError:
            return False

    def _ask(self, method, path, body=None):
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=3 * GENEROUS_S
        )
        text = None if body is None else json.dumps(body)
        try:
            connection.request(method, path, text)
            value = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        if isinstance(value, dict) and "error" in value:
            raise RuntimeError("%s: %s" % (value["error"], value["message"]))
        return value

    def _post(self, what, **body):
        return self._ask("POST", self._session + "/" + what, body)

    def protocol(self, command, **parameters):
        """A command of Chromium's own (DevTools)."""
        return self._post("goog/cdp/execute", cmd=command, params=parameters)

    def looks_like(self, width, height, dark=False, scripts=True):
        """A window of that many CSS pixels, of a telephone when it is small."""
        self.protocol(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2,
            mobile=width < 700,
        )
        self.protocol(
            "Emulation.setEmulatedMedia",
            features=[
                {
                    "name": "prefers-color-scheme",
                    "value": "dark" if dark else "light",
                }
            ],
        )
        self.protocol(
            "Emulation.setScriptExecutionDisabled", value=not scripts
        )

    def open(self, url):
        self._post("url", url=url)

    def run(self, script, *args):
        """The value of a function's body."""
        return self._post("execute/sync", script=script, args=list(args))

    def complaints(self):
        """What the console has to say, above all of the page's policy."""
        return [entry["message"] for entry in self._post("se/log", type="browser")]

    def picture(self, path):
        """The whole page, as PNG."""
        shot = self.protocol(
            "Page.captureScreenshot", format="png", captureBeyondViewport=True
        )
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(base64.b64decode(shot["data"]))
