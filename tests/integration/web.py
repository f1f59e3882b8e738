# SPDX-License-Identifier: ISC
"""What doorbelld serves by HTTP, as plain clients see it."""

import collections
import re
import socket
import subprocess

from waiting import GENEROUS_S

Answer = collections.namedtuple("Answer", "status headers body")


def connect(where):
    """`where` is a port on 127.0.0.1, or the path of a socket."""
    if isinstance(where, int):
        return socket.create_connection(("127.0.0.1", where), GENEROUS_S)
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(GENEROUS_S)
    s.connect(where)
    return s


def hear(s):
    """Everything until the end."""
    heard = b""
    while True:
        try:
            part = s.recv(65536)
        except ConnectionResetError:
            return heard
        if not part:
            return heard
        heard += part


def parse(raw):
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode("ascii").split("\r\n")
    status = int(re.match(r"HTTP/1\.[01] (\d{3}) ", lines[0])[1])
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        assert name.lower() not in headers, "twice: " + name
        headers[name.lower()] = value.strip()
    return Answer(status, headers, body)


def ask(where, path="/", method="GET", host="127.0.0.1", body=b"", **headers):
    lines = ["%s %s HTTP/1.1" % (method, path), "Host: " + host]
    lines += [
        "%s: %s" % (name.replace("_", "-"), value)
        for name, value in headers.items()
    ]
    if body:
        lines.append("Content-Length: %d" % len(body))
    with connect(where) as s:
        s.sendall("\r\n".join(lines + ["", ""]).encode() + body)
        return parse(hear(s))


def get(where, path="/", **more):
    """The body of a page that is there."""
    answer = ask(where, path, **more)
    assert answer.status == 200, answer
    return answer.body.decode()


def promtool(text):
    """promtool(1) has nothing to say about it."""
    run = subprocess.run(
        ["promtool", "check", "metrics"],
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=GENEROUS_S,
    )
    assert (run.returncode, run.stdout) == (0, ""), run.stdout


_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
_SAMPLE = re.compile(
    r"(%s)(?:\{(%s(?:,%s)*)?\})? (-?[0-9.e+-]+|\+Inf|NaN)" % ((_NAME,) + (_LABEL,) * 2)
)
_ENDINGS = {
    "counter": ["_total", "_created"],
    "gauge": [""],
    "histogram": ["_bucket", "_sum", "_count", "_created"],
    "info": ["_info"],
}


def open_metrics(text):
    """Read OpenMetrics 1.0 and hold it to its rules; {sample: value}."""
    assert text.endswith("# EOF\n")
    samples, families, family, kind = {}, set(), None, None
    for line in text[: -len("# EOF\n")].splitlines():
        m = re.fullmatch(r"# (HELP|TYPE|UNIT) (%s) (.+)" % _NAME, line)
        if m:
            if m[2] != family:
                assert m[2] not in families, "family twice: " + line
                families.add(m[2])
                family, kind = m[2], None
            if m[1] == "TYPE":
                assert kind is None and m[3] in _ENDINGS, line
                assert not m[2].endswith("_total"), line
                kind = m[3]
            continue
        m = _SAMPLE.fullmatch(line)
        assert m, "not a sample: " + line
        assert kind and m[1] in [family + e for e in _ENDINGS[kind]], line
        key = m[1] + ("{%s}" % m[2] if m[2] else "")
        assert key not in samples, "sample twice: " + line
        samples[key] = float(m[3])
        le = re.search(r'le="([^"]*)"', line)
        assert le is None or re.fullmatch(r"\d+\.\d+|\+Inf", le[1]), line
    for family in families:
        check_buckets(samples, "%s_bucket{" % family, family)
    return samples


def check_buckets(samples, prefix, family):
    """They grow, and the last one has everything."""
    counts = [v for k, v in samples.items() if k.startswith(prefix)]
    if counts:
        assert counts == sorted(counts), family
        assert samples[prefix + 'le="+Inf"}'] == samples[family + "_count"]
