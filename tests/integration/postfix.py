# SPDX-License-Identifier: ISC
"""A throw-away Postfix: its own directories, ports, log and processes.

It is run by master(8) itself, not by postfix(1): reload and stop are the same
signals to the same process, without the checks of a whole system. The machine's
own Postfix and its log are not touched."""

import glob
import grp
import os
import pwd
import signal
import subprocess

import processes
from client import Client
from logs import Log
from namespace import Host
from waiting import GENEROUS_S, TooLate, until

DAEMONS = os.environ.get("POSTFIX_DAEMONS", "/usr/lib/postfix/sbin")
OWNER = "postfix"
MAIL_UID = 65534  # nobody: who owns delivered mail

QUEUE = {
    "active": 0o700,
    "bounce": 0o700,
    "corrupt": 0o700,
    "defer": 0o700,
    "deferred": 0o700,
    "flush": 0o700,
    "hold": 0o700,
    "incoming": 0o700,
    "private": 0o700,
    "public": 0o710,
    "maildrop": 0o730,
    "saved": 0o700,
    "trace": 0o700,
    "sanitizer": 0o700,
}

MASTER_CF = """\
{port} inet n - {chroot} - 1 {program} {arguments}
smtpd pass - - n - {smtpd_maxproc} smtpd{smtpd_options}
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
dnsblog unix - - n - 0 dnsblog
tlsproxy unix - - n - 0 tlsproxy
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""

# The last line after so many reloads; nobody ever connects to it.
LAST_CF = "reload-%d unix n - n - 1 discard\n"

# Nothing here asks the machine: no DNS, no host names, no other's files.
MAIN_CF = {
    "compatibility_level": "3.6",
    "myhostname": "mx.example.test",
    "mydomain": "example.test",
    "mydestination": "",
    "mynetworks": "192.0.2.0/24",
    "inet_protocols": "all",
    "inet_interfaces": "127.0.0.1, [::1]",
    "alias_maps": "",
    "alias_database": "",
    "local_recipient_maps": "",
    "virtual_mailbox_domains": "example.test",
    "virtual_mailbox_maps": "static:inbox/",
    "virtual_uid_maps": "static:%d" % MAIL_UID,
    "virtual_gid_maps": "static:%d" % MAIL_UID,
    "smtpd_peername_lookup": "no",
    "smtpd_relay_restrictions": "reject_unauth_destination",
    "smtpd_banner": "$myhostname ESMTP ring",
    "mail_owner": OWNER,
    "setgid_group": "postdrop",
    "command_directory": "/usr/sbin",
    "postscreen_access_list": "",
}


class Postfix:
    """One instance, from its files to its last process."""

    def __init__(self, directory, ports, screener, network=None):
        self.directory = directory
        self.screener = screener
        self.network = network or Host()
        self.port = ports.take()
        self.config = os.path.join(directory, "etc")
        self.queue = os.path.join(directory, "queue")
        self.data = os.path.join(directory, "data")
        self.mail = os.path.join(directory, "mail")
        self.daemons = os.path.join(directory, "daemons")
        self.log = Log(
            os.path.join(directory, "maillog"), "postfix/postscreen"
        )
        self.main = dict(MAIN_CF)
        self.own = {"doorbell_control_socket": directory + "/control"}
        self.program = screener.name
        self.arguments = ""
        self.chroot = "n"
        self.smtpd_maxproc = "-"
        self.smtpd_options = ()
        self.without = ()
        self.descriptors = None  # RLIMIT_NOFILE, when not the machine's
        self._reloads = 0
        self._master = None
        self._build()

    # --- files ---------------------------------------------------------------
    def _build(self):
        owner = pwd.getpwnam(OWNER)
        postdrop = grp.getgrnam("postdrop").gr_gid
        for path, mode, uid in (
            (self.config, 0o755, 0),
            (self.queue, 0o755, 0),
            (self.data, 0o700, owner.pw_uid),
            (self.mail, 0o755, MAIL_UID),
            (self.daemons, 0o755, 0),
            (os.path.join(self.queue, "pid"), 0o755, 0),
        ):
            os.mkdir(path)
            os.chmod(path, mode)
            os.chown(path, uid, owner.pw_gid if uid == owner.pw_uid else 0)
        for name, mode in QUEUE.items():
            path = os.path.join(self.queue, name)
            os.mkdir(path)
            os.chmod(path, mode)
            os.chown(
                path,
                owner.pw_uid,
                postdrop if name in ("public", "maildrop") else 0,
            )
        for name in os.listdir(DAEMONS):
            os.symlink(
                os.path.join(DAEMONS, name), os.path.join(self.daemons, name)
            )
        if self.screener.path:
            os.symlink(
                self.screener.path,
                os.path.join(self.daemons, self.screener.name),
            )
        self.main.update(
            {
                "config_directory": self.config,
                "queue_directory": self.queue,
                "data_directory": self.data,
                "daemon_directory": self.daemons,
                "virtual_mailbox_base": self.mail,
                "maillog_file": self.log.path,
                "maillog_file_prefixes": self.directory,
                "postscreen_greet_wait": "%ds" % self.screener.greet_wait,
                # Sanitizers speak on stderr, which master(8) closes. The working
                # directory is the queue, with or without chroot.
                "import_environment": "MAIL_CONFIG TZ "
                "ASAN_OPTIONS=log_path=sanitizer/report:detect_leaks=0 "
                "UBSAN_OPTIONS=log_path=sanitizer/report:print_stacktrace=1",
            }
        )

    def configure(self):
        """Write main.cf, doorbell.cf and master.cf from what is set."""
        self._write("main.cf", _assignments(self.main))
        if self.screener.is_doorbelld:
            self._write("doorbell.cf", _assignments(self.own))
        text = MASTER_CF.format(
            port=self.port,
            chroot=self.chroot,
            program=self.program,
            arguments=self.arguments,
            smtpd_maxproc=self.smtpd_maxproc,
            smtpd_options="".join(" -o " + o for o in self.smtpd_options),
        )
        self._write(
            "master.cf",
            "".join(
                line
                for line in text.splitlines(True)
                if line.split()[0] not in self.without
            )
            + (LAST_CF % self._reloads if self._reloads else ""),
        )

    def _write(self, name, text):
        path = os.path.join(self.config, name)
        with open(path + ".new", "w") as f:
            f.write(text)
        # Postfix hesitates over files younger than a second or two.
        os.utime(path + ".new", (1, 1))
        os.rename(path + ".new", path)

    def file(self, name, text):
        """A file of the instance, readable by all; returns its path.

        It is replaced in one step, as an editor does."""
        path = os.path.join(self.directory, name)
        with open(path + ".new", "w") as f:
            f.write(text)
        os.rename(path + ".new", path)
        return path

    def postmap(self, kind, name, text):
        """An indexed table; returns kind:path."""
        path = self.file(name, text)
        subprocess.run(
            ["postmap", "-c", self.config, kind + ":" + path],
            check=True,
            timeout=GENEROUS_S,
        )
        if self._master is None:
            # Postfix sees a change by the second in which it was made.
            for name in glob.glob(path + "*"):
                os.utime(name, (1, 1))
        return kind + ":" + path

    # --- life ----------------------------------------------------------------
    def start(self):
        self.configure()
        mark = self.log.mark()
        command = [os.path.join(self.daemons, "master"), "-c", self.config]
        if self.descriptors is not None:
            command = ["prlimit", "--nofile=%d" % self.descriptors] + command
        self._master = subprocess.Popen(
            self.network.command(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.log.wait_for(r"daemon started -- version .*", after=mark)
        return self

    @property
    def master(self):
        return self._master.pid

    def reload(self):
        """postfix reload; returns when master(8) has done it.

        It logs the reload before it does it, and takes master.cf line by line:
        all that stands before its last line is done when that has its socket.
        """
        self._reloads += 1
        self.configure()
        mark = self.log.mark()
        os.kill(self.master, signal.SIGHUP)
        self.log.wait_for(r"reload -- version .*", after=mark)
        last = os.path.join(self.queue, "public", "reload-%d" % self._reloads)
        until(lambda: os.path.exists(last), "the end of the reload")

    def stop(self):
        """postfix stop; returns when all is gone but what may drain."""
        if self._master is not None:
            self._master.terminate()
            self._master.wait(GENEROUS_S)
            self._master = None
            # The next master would meet the last ones of this.
            until(
                lambda: not self._daemons_left(),
                lambda: "the end of "
                + ", ".join(self._daemons_left().values()),
            )

    def end(self):
        """postfix stop, and the end of the screener as well: it has no client
        for whom it stays."""
        self.stop()
        until(lambda: not self.leftovers(), "the end of the screener")

    def _daemons_left(self):
        """Processes that are not the screener's, and their names."""
        names = {pid: processes.command(pid) for pid in self.leftovers()}
        return {
            pid: name
            for pid, name in names.items()
            if name not in (self.program, None)
        }

    def kill(self):
        """kill -9 of master(8). Its daemons notice and leave, but one in the
        middle of a message may wait an hour for another that nobody starts any
        more: those are killed too, and the screener is not."""
        self._master.kill()
        self._master.wait()
        self._master = None
        until(
            lambda: not self._kill_daemons(),
            lambda: "the end of " + ", ".join(self._daemons_left().values()),
        )

    def _kill_daemons(self):
        left = self._daemons_left()
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return left

    def clean_up(self):
        """End whatever is left of this instance, drained processes too."""
        try:
            self.stop()
        except (subprocess.TimeoutExpired, TooLate):
            pass  # a master(8) that hangs must not outlive its test
        finally:
            if self._master is not None:
                self._master.kill()
                self._master.wait()
                self._master = None
            until(self._nobody_left, "the end of all processes")

    def _nobody_left(self):
        left = self.leftovers()
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return not left

    def leftovers(self):
        """All processes that work in our queue directory."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    here = os.readlink("/proc/%s/cwd" % entry)
                except OSError:
                    continue
                if here == self.queue or here.startswith(self.queue + "/"):
                    found.append(int(entry))
        return found

    def sanitizer_reports(self):
        directory = os.path.join(self.queue, "sanitizer")
        return [
            open(os.path.join(directory, name), errors="replace").read()
            for name in sorted(os.listdir(directory))
        ]

    # --- processes -----------------------------------------------------------
    def screener_pid(self):
        """The process that master(8) knows as the screener."""
        return until(
            lambda: processes.children(self.master, self.program),
            "a %s process" % self.program,
        )[0]

    def pids(self, command):
        return processes.children(self.master, command)

    def drainers(self):
        """Screeners that master(8) does not know any more."""
        known = self.pids(self.program)
        return [
            pid
            for pid in self.leftovers()
            if pid not in known and processes.command(pid) == self.program
        ]

    # --- clients and mail ----------------------------------------------------
    def connect(self, source="127.0.0.2", host="127.0.0.1", **more):
        if ":" in host and source == "127.0.0.2":
            source = None
        return Client(
            host,
            self.port,
            source,
            make_socket=self.network.make_socket,
            **more
        )

    def inbox(self):
        """The texts of all mail that was delivered."""
        directory = os.path.join(self.mail, "inbox", "new")
        if not os.path.isdir(directory):
            return []
        texts = []
        for name in sorted(os.listdir(directory)):
            with open(os.path.join(directory, name)) as f:
                texts.append(f.read())
        return texts

    def wait_for_mail(self, subject="ring", count=1):
        """Wait until `count` mails with this subject were delivered."""
        return until(
            lambda: [
                t for t in self.inbox() if "\nSubject: %s\n" % subject in t
            ][count - 1 :],
            lambda: "mail %r; the log:\n%s" % (subject, self.log.tail()),
        )[0]


def _assignments(values):
    return "".join("%s = %s\n" % item for item in values.items())
