# SPDX-License-Identifier: ISC
"""The picture: what a known client costs while a botnet holds connections."""

from rows import HELD

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 80, 30, 64, 64
COLOURS = {"doorbelld": "#0b6e4f", "postscreen": "#b23a48"}


def _nice(top):
    """A round number at or above `top`, and its quarter."""
    step = 1
    while True:
        for factor in 1, 2, 4, 5, 8:
            if factor * step >= top:
                return factor * step
        step *= 10


def draw(book, facts, path):
    lines = {}
    for name in COLOURS:
        points = [(n, book.get("held.%d" % n, name)) for n in HELD]
        points = [(n, y) for n, y in points if y is not None]
        if points:
            lines[name] = points
    top = _nice(max(y for points in lines.values() for _, y in points))

    def x(n):
        return LEFT + (WIDTH - LEFT - RIGHT) * n / max(HELD)

    def y(value):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top

    out = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" '
        'font-family="sans-serif" font-size="13">' % (WIDTH, HEIGHT),
        '<rect width="100%" height="100%" fill="white"/>',
        '<text x="%d" y="26" font-size="17" font-weight="bold">What a known '
        "client costs while a botnet holds connections</text>" % LEFT,
        '<text x="%d" y="46" fill="#555">CPU of the screen per session, in '
        "microseconds; Postfix %s, doorbelld %s, the same machine</text>"
        % (LEFT, facts["postfix"], facts["commit"]),
    ]
    for i in range(5):
        value = top * i / 4
        out.append(
            '<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/>'
            % (LEFT, WIDTH - RIGHT, y(value), y(value))
        )
        out.append(
            '<text x="%d" y="%.1f" text-anchor="end" fill="#555">%g'
            "</text>" % (LEFT - 8, y(value) + 4, value)
        )
    for n in HELD:
        out.append(
            '<text x="%.1f" y="%d" text-anchor="middle" fill="#555">%s'
            "</text>"
            % (x(n), HEIGHT - BOTTOM + 20, format(n, ",") if n != 1000 else "")
        )
    out.append(
        '<text x="%.1f" y="%d" text-anchor="middle" fill="#555">'
        "connections held</text>" % ((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 18)
    )
    for name, points in lines.items():
        colour = COLOURS[name]
        out.append(
            '<polyline fill="none" stroke="%s" stroke-width="2.5" '
            'points="%s"/>'
            % (colour, " ".join("%.1f,%.1f" % (x(n), y(v)) for n, v in points))
        )
        for n, v in points:
            out.append(
                '<circle cx="%.1f" cy="%.1f" r="4" fill="%s"/>'
                % (x(n), y(v), colour)
            )
        n, v = points[-1]
        out.append(
            '<text x="%.1f" y="%.1f" text-anchor="end" fill="%s" '
            'font-weight="bold">%s: %.0f</text>'
            % (x(n) - 8, y(v) - 10, colour, name, v)
        )
    out.append("</svg>")
    with open(path, "w") as f:
        f.write("\n".join(out) + "\n")
