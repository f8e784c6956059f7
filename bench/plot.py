"""Line plots as SVG, both axes logarithmic, readable on light and on dark pages."""

import html
import math

WIDTH, HEIGHT = 760, 430
LEFT, RIGHT, TOP, BOTTOM = 74, 42, 92, 58
STYLE = """
text { font: 13px system-ui, sans-serif; }
.title { font-size: 16px; font-weight: 600; }
.grid { stroke-width: 1; }
.line { fill: none; stroke-width: 2.2; }
.spread { stroke-width: 1.4; opacity: 0.6; }
"""
LIGHT = {"text": "#24292f", "page": "#ffffff", "grid": "#d0d7de", "ours": "#0a5fd0", "shell": "#b54708",
         "session": "#9a2ca0", "empty": "#57606a", "masquerade": "#57606a"}
DARK = {"text": "#e6edf3", "page": "#0d1117", "grid": "#30363d", "ours": "#6cb6ff", "shell": "#f0a35e",
        "session": "#e39bf0", "empty": "#9aa4af", "masquerade": "#9aa4af"}
# A shape for each line, so that nobody needs the colours.
MARKS = {
    "ours": "M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0", "shell": "M-4.5,-4.5h9v9h-9z",
    "session": "M0,-6l6,10h-12z", "empty": "M0,-6l6,6l-6,6l-6,-6z", "masquerade": "M0,-6l6,6l-6,6l-6,-6z",
}


class Axis:
    """A logarithmic one, from a value to a place."""

    def __init__(self, values, begin, end, steps):
        self.low, self.high = self.bounds(min(values), max(values), steps)
        self.begin, self.end, self.steps = begin, end, steps

    @staticmethod
    def bounds(low, high, steps):
        marks = [step * 10.0**power for power in range(-4, 9) for step in steps]
        return max(mark for mark in marks if mark <= low), min(mark for mark in marks if mark >= high)

    def place(self, value):
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return self.begin + part * (self.end - self.begin)

    def ticks(self):
        marks = (step * 10.0**power for power in range(-4, 9) for step in self.steps)
        return [mark for mark in marks if self.low <= mark * 1.0001 and mark <= self.high * 1.0001]


def colours(theme):
    drawn = [("text", "fill", "text"), (".page", "fill", "page"), (".grid", "stroke", "grid")]
    for kind in MARKS:
        drawn += [(f".{kind} .line, .{kind} .spread", "stroke", kind), (f".{kind} .mark", "fill", kind)]
    return "\n".join(f"{selector} {{ {what}: {theme[colour]}; }}" for selector, what, colour in drawn)


def style():
    return f"{STYLE}{colours(LIGHT)}\n@media (prefers-color-scheme: dark) {{\n{colours(DARK)}\n}}\n"


def label(value):
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def element(name, content="", **attributes):
    written = "".join(f' {key.replace("_", "-").rstrip("-")}="{value}"' for key, value in attributes.items())
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"


def grid(x, y):
    for value in x.ticks():
        place = f"{x.place(value):.1f}"
        yield element("line", class_="grid", x1=place, x2=place, y1=TOP, y2=HEIGHT - BOTTOM)
        yield element("text", label(value), x=place, y=HEIGHT - BOTTOM + 20, text_anchor="middle")
    for value in y.ticks():
        place = f"{y.place(value):.1f}"
        yield element("line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT, y1=place, y2=place)
        yield element("text", label(value), x=LEFT - 8, y=f"{y.place(value) + 4:.1f}", text_anchor="end")


def line(kind, points, x, y):
    places = [(x.place(at), *(y.place(value) for value in values)) for at, *values in points]
    yield element("polyline", class_="line", points=" ".join(f"{at:.1f},{mid:.1f}" for at, _, mid, _ in places))
    for at, low, mid, high in places:
        yield element("line", class_="spread", x1=f"{at:.1f}", x2=f"{at:.1f}", y1=f"{low:.1f}", y2=f"{high:.1f}")
        yield element("path", class_="mark", d=MARKS[kind], transform=f"translate({at:.1f},{mid:.1f})")


def legend(lines):
    at = LEFT
    for name, kind, _ in lines:
        sample = element("line", class_="line", x1=0, x2=26, y1=0, y2=0) + \
            element("path", class_="mark", d=MARKS[kind], transform="translate(13,0)") + \
            element("text", html.escape(name), x=33, y=4)
        yield element("g", sample, class_=kind, transform=f"translate({at},62)")
        at += 52 + 7 * len(name)


def axis_names(x_name, y_name):
    middle = (TOP + HEIGHT - BOTTOM) / 2
    yield element("text", x_name, x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 14, text_anchor="middle")
    yield element("text", y_name, x=0, y=0, text_anchor="middle", transform=f"translate(20,{middle}) rotate(-90)")


def write(path, title, x_name, y_name, lines):
    """lines: (name, kind, [(x, low, middle, high)])"""
    every = [point for *_, points in lines for point in points]
    x = Axis([point[0] for point in every], LEFT, WIDTH - RIGHT, (1,))
    y = Axis([value for point in every for value in point[1:]], HEIGHT - BOTTOM, TOP, (1, 2, 5))
    parts = [
        element("title", title), element("style", style()),
        element("rect", class_="page", width=WIDTH, height=HEIGHT, rx=6),
        element("text", title, class_="title", x=LEFT, y=32), *grid(x, y), *axis_names(x_name, y_name),
        *legend(lines),
        *(element("g", "\n".join(line(kind, points, x, y)), class_=kind) for _, kind, points in reversed(lines)),
    ]
    body = "\n".join(parts)
    path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
                    f'width="{WIDTH}" height="{HEIGHT}" role="img">\n{body}\n</svg>\n')
