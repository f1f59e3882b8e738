# SPDX-License-Identifier: ISC
"""An SMTP client that does what it is told, also what no client should do."""

import select
import socket
import ssl
import struct
import time
from collections import namedtuple

from waiting import GENEROUS_S, TooLate

REPLY_MAX = 64 * 1024

Reply = namedtuple("Reply", "code lines")


class Gone(AssertionError):
    """The server closed the connection where a reply was due."""


def refuses(port, host="127.0.0.1"):
    """Nobody listens there."""
    try:
        Client(host, port).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass  # the listener went while we came
    return False


def readable(sock, seconds):
    """Wait for bytes or an end; poll(2), as select(2) ends at 1024."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


class Client:
    """One connection. Every read has a deadline and a ceiling."""

    def __init__(
        self,
        host,
        port,
        source=None,
        timeout=GENEROUS_S,
        receive_buffer=None,
        make_socket=socket.socket,
    ):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._timeout = timeout
        self._unread = b""
        self.transcript = b""
        self.socket = make_socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        if receive_buffer is not None:
            self.socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer
            )
        if source is not None:
            self.socket.bind((source, 0))
        self.begun = time.monotonic()
        self.socket.connect((host, port))
        self.address, self.port = self.socket.getsockname()[:2]
        self.me = "[%s]:%d" % (self.address, self.port)
        self.server = "[%s]:%d" % (host, port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- what the server says ------------------------------------------------
    def _receive(self, end):
        """More bytes; False at the end of the stream."""
        wait = end - time.monotonic()
        if self._decrypted():
            pass
        elif wait <= 0 or not readable(self.socket, wait):
            raise TooLate(
                "the server said nothing more after %r" % self.transcript
            )
        try:
            fresh = self.socket.recv(65536)
        except ConnectionResetError:
            fresh = b""
        self._unread += fresh
        self.transcript += fresh
        assert len(self._unread) <= REPLY_MAX, "the reply has no end"
        return fresh != b""

    def line(self, timeout=None):
        """The next line, without its CRLF, which must be there."""
        end = time.monotonic() + (
            self._timeout if timeout is None else timeout
        )
        while b"\n" not in self._unread:
            if not self._receive(end):
                raise Gone("closed after %r" % self.transcript)
        line, self._unread = self._unread.split(b"\n", 1)
        assert line.endswith(b"\r"), "no CRLF after %r" % line
        return line[:-1].decode("utf-8")

    def reply(self, timeout=None):
        """The next reply, however many lines it has.

        Its code is that of the last line: a refusal may follow the teaser
        220- within one reply."""
        lines = [self.line(timeout)]
        while lines[-1][3:4] == "-":
            lines.append(self.line(timeout))
        return Reply(int(lines[-1][:3]), lines)

    def expect(self, *lines, timeout=None):
        """The next reply has exactly these lines."""
        got = self.reply(timeout)
        assert got.lines == list(lines), got.lines
        return got

    def end(self, timeout=None):
        """Everything up to the end of the stream, which must come."""
        end = time.monotonic() + (
            self._timeout if timeout is None else timeout
        )
        while self._receive(end):
            pass
        rest, self._unread = self._unread, b""
        return rest

    def silent(self):
        """True when nothing can be read now, not even an end."""
        return (
            not self._unread and not readable(self.socket, 0)
        )

    def _decrypted(self):
        """Bytes that TLS holds while the socket is silent."""
        return isinstance(self.socket, ssl.SSLSocket) and self.socket.pending()

    # --- what the client does ------------------------------------------------
    def send(self, text):
        self.socket.sendall(
            text if isinstance(text, bytes) else text.encode("utf-8")
        )

    def ask(self, command, *expected, timeout=None):
        """Send a command line and read its reply (which is as expected)."""
        self.send(command + "\r\n")
        if expected:
            return self.expect(*expected, timeout=timeout)
        return self.reply(timeout)

    def start_tls(self, ciphers=None, **rules):
        """STARTTLS was answered: shake hands. `rules` are attributes of the
        SSLContext. Whoever the server says it is will do. From now on an end
        without TLS's own goodbye is an error."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        for name, value in rules.items():
            setattr(context, name, value)
        if ciphers is not None:
            context.set_ciphers(ciphers)
        self.socket = context.wrap_socket(
            self.socket, suppress_ragged_eofs=False
        )

    def try_send(self, data):
        """Send what the buffers take, without waiting; how much that was."""
        self.socket.setblocking(False)
        try:
            return self.socket.send(data)
        except BlockingIOError:
            return 0
        finally:
            self.socket.settimeout(self._timeout)

    def deliver(
        self,
        sender="sender@client.test",
        recipient="inbox@example.test",
        subject="ring",
    ):
        """Send one mail, the greeting having been read; leaves at QUIT."""
        assert self.ask("EHLO client.test").code == 250
        assert self.ask("MAIL FROM:<%s>" % sender).code == 250
        assert self.ask("RCPT TO:<%s>" % recipient).code == 250
        assert self.ask("DATA").code == 354
        self.send("Subject: %s\r\n\r\n%s\r\n" % (subject, subject))
        assert self.ask(".").code == 250
        assert self.ask("QUIT").code == 221
        assert self.end() == b""
        self.close()

    def half_close(self):
        """No more bytes from us; we still read."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """End the connection with an RST."""
        self.socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self.socket.close()

    def close(self):
        self.socket.close()

    def pause(self, seconds):
        """Let that time pass, but wake up when the server speaks."""
        readable(self.socket, seconds)

    def age(self):
        """Seconds since the connection was begun."""
        return time.monotonic() - self.begun
