#!/usr/bin/env python3
"""The picture of a terminal.

    terminal.py COLUMNS <TEXT >SVG      of what a program has printed, with its colours
    terminal.py --text <SVG             the text of such a picture
"""
import re
import sys
import xml.etree.ElementTree as ElementTree
from xml.sax.saxutils import escape

WIDTH, HEIGHT, MARGIN = 8.4, 18, 12  # of a character of 14 px, and around all
PLAIN, BACKGROUND = "#d4d4d4", "#1e1e1e"
COLOURS = {"31": "#f47067", "32": "#8ddb8c", "33": "#e0b84c", "34": "#6cb6ff", "35": "#dcbdfb", "36": "#76d4d6"}


def pieces(lines):
    """(row, column, words, style) of each run of words of one style, which is a colour, and whether it is bold."""
    colour, bold = PLAIN, False
    for row, line in enumerate(lines):
        column = 0
        for codes, text in re.findall(r"((?:\x1b\[[0-9;]*m)*)([^\x1b]*)", line):
            for code in re.findall(r"[0-9]+|(?<=\[)(?=m)", codes):
                if int(code or 0) == 0:
                    colour, bold = PLAIN, False
                elif int(code) == 1:
                    bold = True
                else:
                    colour = COLOURS[code]
            if text.strip(" "):
                yield row, column + len(text) - len(text.lstrip(" ")), text.strip(" "), (colour, bold)
            column += len(text)


def element(row, column, words, style):
    colour, bold = style
    return (f'<text x="{MARGIN + column * WIDTH:.1f}" y="{MARGIN + (row + 0.75) * HEIGHT:.1f}"'
            f' textLength="{len(words) * WIDTH:.1f}"'
            + (f' fill="{colour}"' if colour != PLAIN else "") + (' font-weight="bold"' if bold else "")
            + f' xml:space="preserve">{escape(words)}</text>')


def picture(columns, lines):
    width, height = 2 * MARGIN + columns * WIDTH, 2 * MARGIN + len(lines) * HEIGHT
    yield f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}">'
    yield f'<rect width="100%" height="100%" rx="6" fill="{BACKGROUND}"/>'
    yield f'<g fill="{PLAIN}" font-family="ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace" font-size="14">'
    yield from (element(*piece) for piece in pieces(lines))
    yield "</g>\n</svg>"


def text(svg):
    """Its lines, with blanks where they were."""
    lines = {}
    for each in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"):
        row = round((float(each.get("y")) - MARGIN) / HEIGHT - 0.75)
        column = round((float(each.get("x")) - MARGIN) / WIDTH)
        lines[row] = lines.get(row, "").ljust(column) + each.text
    return [lines.get(row, "") for row in range(max(lines) + 1)]


if sys.argv[1] == "--text":
    print("\n".join(text(sys.stdin.read())))
else:
    print("\n".join(picture(int(sys.argv[1]), sys.stdin.read().rstrip("\n").split("\n"))))
