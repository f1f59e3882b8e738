# SPDX-License-Identifier: ISC
"""What /proc tells about the processes of an instance."""

import os


def _stat(pid):
    """(command, state, parent), or None when the process is gone."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as f:
            head, _, tail = f.read().decode("utf-8", "replace").rpartition(")")
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, parent = tail.split()[:2]
    return head.partition("(")[2], state, int(parent)


def children(parent, command=None):
    """The living children of a process, by command name."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            stat = _stat(int(entry))
            if (
                stat
                and stat[2] == parent
                and stat[1] != "Z"
                and command in (None, stat[0])
            ):
                found.append(int(entry))
    return sorted(found)


def command(pid):
    """The name of a living process, or None."""
    stat = _stat(pid)
    return stat[0] if stat is not None and stat[1] != "Z" else None


def is_alive(pid):
    stat = _stat(pid)
    return stat is not None and stat[1] != "Z"


def descriptors(pid):
    """How many descriptors a process has open."""
    return len(os.listdir("/proc/%d/fd" % pid))


def status(pid, field):
    """A line of /proc/PID/status, as words."""
    with open("/proc/%d/status" % pid) as f:
        for line in f:
            name, _, value = line.partition(":")
            if name == field:
                return value.split()
    raise KeyError(field)


def limit(pid, name):
    """The soft limit of this name in /proc/PID/limits."""
    with open("/proc/%d/limits" % pid) as f:
        for line in f:
            if line.startswith(name):
                return line[len(name) :].split()[0]
    raise KeyError(name)


def has_pending(pid, number):
    """A signal to the process waits, as it does while that is stopped."""
    return bool(int(status(pid, "ShdPnd")[0], 16) >> (number - 1) & 1)


def _cpu_seconds(path):
    with open(path + "/stat", "rb") as f:
        words = f.read().rpartition(b")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """What it has computed, for itself and in the kernel."""
    return _cpu_seconds("/proc/%d" % pid)


def aside_seconds(pid):
    """The part of it that other threads than the first have computed."""
    tasks = "/proc/%d/task" % pid
    return sum(
        _cpu_seconds("%s/%s" % (tasks, task))
        for task in os.listdir(tasks)
        if int(task) != pid
    )


def resident_kb(pid):
    return int(status(pid, "VmRSS")[0])


def has_sanitizer(pid):
    """Instrumented: its memory says nothing about the program's."""
    with open("/proc/%d/maps" % pid) as f:
        text = f.read()
    return "libasan" in text or "libclang_rt" in text


def listens(pid, port):
    """Somebody in the network of this process listens on the TCP port."""
    for table in "tcp", "tcp6":
        with open("/proc/%d/net/%s" % (pid, table)) as f:
            for line in f:
                words = line.split()
                if words[3] == "0A" and words[1].endswith(":%04X" % port):
                    return True
    return False


def catches(pid, number):
    """The process has a handler for this signal."""
    with open("/proc/%d/status" % pid) as f:
        for line in f:
            name, _, value = line.partition(":")
            if name == "SigCgt":
                return bool(int(value, 16) >> (number - 1) & 1)
    return False
