"""Lists what the program can say: the format of each message, in the order of the sources."""

import pathlib
import re
import sys

# What says something, or hands on a part of what is said.
CALLS = (
    "report_error", "report_warning", "report_note", "config_error", "line_error", "log_line", "log_last_words", "finding", "complain",
    "refuse_variable", "usage_error", "lines_add", "note_rule", "note_route", "leave_out", "refuse_session",
)
LITERAL = r'"(?:[^"\\]|\\.)*"'
# Literals side by side are one; a macro between them is shown in braces.
MESSAGE = re.compile(rf"(?:[A-Z_0-9]+\s+)?{LITERAL}(?:\s*(?:{LITERAL}|[A-Z_0-9]+(?=\s*{LITERAL})))*")


def arguments(source, start):
    """The text between the parenthesis at start and its partner."""
    depth, position, pattern = 0, start, re.compile(rf"{LITERAL}|'(?:[^'\\]|\\.)'|[()]")
    while found := pattern.search(source, position):
        position = found.end()
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if depth == 0:
            return source[start + 1 : found.start()]
    raise ValueError("a parenthesis is not closed")


def plain(message):
    """The literals of a message as one text."""
    parts = re.findall(rf"{LITERAL}|[A-Z_0-9]+", message)
    return "".join(part[1:-1] if part[0] == '"' else "{" + part + "}" for part in parts)


def messages(source):
    """All that the calls of a file say: of `a ? "x" : "y"` both."""
    source = re.sub(r"/\*.*?\*/", "", source, flags=re.S)
    calls = rf"\b(?:{'|'.join(CALLS)}|snprintf(?=\(message,)|text_add(?=\(wrong,))\s*\("
    for call in re.finditer(calls, source):
        said = arguments(source, call.end() - 1)
        for found in MESSAGE.finditer(said):
            text = plain(found[0])
            if len(text.split()) > 1:           # else it is a name, or a mark between others
                yield text


def main():
    for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.c"), key=lambda path: path.name):
        seen = set()
        for text in messages(path.read_text(encoding="utf-8")):
            if text not in seen:
                print(f"{path.name}: {text}")
            seen.add(text)


if __name__ == "__main__":
    main()
