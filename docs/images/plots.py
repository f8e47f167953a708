#!/usr/bin/env python3
"""plots.py CALIBRATION.html PREFIX PART...: PREFIX-PART.svg of the page that `stowage calibrate --report` wrote.

The page's own drawings, each as a file that needs nothing beside it: with its title, its legend and its colours, light
or dark as the reader's system is.
"""
import html
import re
import sys

STYLE = (
    "svg{--ink:#1d2127;--soft:#5d6673;--line:#d9dde3;--page:#fff}"
    "@media(prefers-color-scheme:dark){svg{--ink:#e6e9ee;--soft:#9aa4b2;--line:#3a414b;--page:#15181d}}"
    "rect{fill:var(--page)}line{stroke:var(--line)}text{font:11px system-ui,sans-serif;fill:var(--soft)}"
    ".title{font-size:13px;fill:var(--ink)}g{fill-opacity:.75}"
)
HEAD, FOOT = 24, 20  # room for the title and for the legend


def section(page, part):
    """The drawing below the heading of that part, and its legend as (colour, name)."""
    found = re.search(
        r"<h2>" + re.escape(html.escape(part)) + r"</h2>.*?<svg viewBox=\"0 0 (\d+) (\d+)\"[^>]*>(.*?)</svg>"
        r"(<p class=\"soft\">(.*?)</p>)?", page, re.S)
    if not found:
        sys.exit(f"no drawing below the heading '{part}'")
    legend = re.findall(r"background:(#\w+)\"></span>([^<]*)", found.group(5) or "")
    return int(found.group(1)), int(found.group(2)), found.group(3), legend


def standalone(gpu, part, width, height, body, legend):
    series = {}
    circle = r"<circle cx=\"([\d.]+)\" cy=\"([\d.]+)\" r=\"2.6\" fill=\"(#\w+)\"[^>]*>.*?</circle>"
    for x, y, colour in re.findall(circle, body):
        series.setdefault(colour, []).append(f'<circle cx="{x}" cy="{y}" r="2.6"/>')
    dots = "".join(f'<g fill="{colour}">{"".join(c)}</g>' for colour, c in series.items())
    body = re.sub(circle, "", body) + dots
    foot = FOOT if legend else 0
    whole = HEAD + height + foot
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {whole}" role="img">',
           f"<title>{gpu}: {part}, predicted / measured - 1</title><style>{STYLE}</style>",
           f'<rect width="{width}" height="{whole}"/>',
           f'<text class="title" x="12" y="17">{gpu}: {part}, predicted / measured - 1</text>',
           f'<g style="fill-opacity:1" transform="translate(0 {HEAD})">{body}</g>']
    x = 56
    for colour, name in legend:
        out.append(f'<circle cx="{x}" cy="{whole - 12}" r="4" fill="{colour}"/>'
                   f'<text x="{x + 9}" y="{whole - 8}">{name}</text>')
        x += 26 + 6 * len(html.unescape(name))
    return "".join(out) + "</svg>\n"


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        page = file.read()
    gpu = re.search(r"<h1>Calibration of (.*?)</h1>", page).group(1)
    for part in sys.argv[3:]:
        name = f"{sys.argv[2]}-{part.lower().replace(' ', '-')}.svg"
        with open(name, "w", encoding="utf-8") as file:
            file.write(standalone(gpu, part, *section(page, part)))
        print(name)


main()
