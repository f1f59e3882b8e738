# SPDX-License-Identifier: ISC
"""doorbelld without master(8), in front of the smtpd of a Postfix instance."""

import os
import signal
import subprocess

import processes
from client import Client
from logs import STDERR, Log
from waiting import GENEROUS_S, until


class Standalone:
    """doorbelld -f -c FILE; what it says on stderr is its log."""

    def __init__(self, postfix, ports):
        self.postfix = postfix
        self.port = ports.take()
        self.directory = os.path.join(postfix.directory, "standalone")
        os.mkdir(self.directory)
        os.chmod(self.directory, 0o755)
        self.file = os.path.join(self.directory, "doorbell.cf")
        self.log = Log(
            os.path.join(self.directory, "stderr"), "postfix/doorbelld", STDERR
        )
        self.main = {
            key: postfix.main[key]
            for key in (
                "compatibility_level",
                "myhostname",
                "mydomain",
                "mynetworks",
                "smtpd_banner",
                "mail_owner",
                "queue_directory",
                "data_directory",
                "inet_protocols",
            )
        }
        self.main.update(
            {
                "doorbell_listen": "inet:127.0.0.1:%d, inet:[::1]:%d"
                % (self.port, self.port),
                "doorbell_control_socket": self.directory + "/control",
                "doorbell_smtpd_service": postfix.queue + "/private/smtpd",
                "doorbell_access_list": "",
                "doorbell_greet_wait": "%ds" % postfix.screener.greet_wait,
            }
        )
        self.words = []
        self.starter = []  # a command that starts it
        self.environment = {}
        self.descriptors = None  # RLIMIT_NOFILE, when not the machine's
        self._process = None

    def configure(self):
        with open(self.file, "w") as f:
            f.write("".join("%s = %s\n" % item for item in self.main.items()))

    def start(self):
        mark = self.log.mark()
        self.launch()
        self.log.wait_for(r".*doorbelld \S+ starting.*", after=mark)
        until(
            lambda: processes.listens(self.pid, self.port),
            lambda: "a listening socket; the log:\n" + self.log.tail(),
        )
        # It listens before it hears; SIGINT is the last that it learns.
        until(
            lambda: processes.catches(self.pid, signal.SIGINT),
            "an ear for signals",
        )
        return self

    def launch(self):
        """Start, and wait for nothing."""
        self.configure()
        options = "log_path=%s/sanitizer/report" % self.postfix.queue
        environment = dict(
            os.environ,
            ASAN_OPTIONS=options + ":detect_leaks=0",
            UBSAN_OPTIONS=options + ":print_stacktrace=1",
            **self.environment
        )
        with open(self.log.path, "ab") as err:
            self._process = subprocess.Popen(
                self.postfix.network.command(self._command()),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=err,
                env=environment,
            )
        return self

    def _command(self):
        command = [self.postfix.screener.path, "-f", "-c", self.file]
        if self.descriptors is not None:
            command = ["prlimit", "--nofile=%d" % self.descriptors] + command
        return self.starter + command + self.words

    @property
    def pid(self):
        return self._process.pid

    def hangup(self):
        """SIGHUP: read the configuration again."""
        self.configure()
        self._process.send_signal(signal.SIGHUP)

    def terminate(self):
        self._process.terminate()

    def wait(self, timeout=GENEROUS_S):
        """The exit status."""
        return self._process.wait(timeout)

    def is_alive(self):
        return processes.is_alive(self.pid)

    def clean_up(self):
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def connect(self, source="127.0.0.2", host="127.0.0.1", **more):
        if ":" in host and source == "127.0.0.2":
            source = None
        return Client(
            host,
            self.port,
            source,
            make_socket=self.postfix.network.make_socket,
            **more
        )
