"""Fails when a relative link in a Markdown file of the repository leads nowhere. Called by check-links.

Looks at links, images and reference definitions outside code; checks that the target is a file or folder that git
knows, and that a #fragment is a heading of it. Links to other places are not followed.

In docs/spec-map.md a link to a Rust file may be followed by a colon and the names of tests: the file must have them.
"""

import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parents[2]
SPEC_MAP = Path("docs/spec-map.md")
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^\s)>]+)>?(?:\s+[\"'][^)]*)?\)")
DEFINITION = re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)>?", re.MULTILINE)
FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,}).*?^ {0,3}\1[`~]*[ \t]*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
NAMED_TESTS = re.compile(r"\]\(([^)]+\.rs)\):((?:,? `[a-z0-9_]+`)+)")
HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.+?)[ \t]*#*[ \t]*$", re.MULTILINE)


def known_files():
    """Files that are committed, staged, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout
    return {Path(name) for name in listed.split("\0") if name and (ROOT / name).exists()}


def blank(match):
    """What a match covers, without its content: positions and lines stay."""
    return re.sub(r"[^\n]", " ", match.group())


def anchor(heading, seen):
    """The fragment that a heading gets: lower case, words joined by hyphens, numbered when it repeats."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
    kept = (c for c in text if c in " -_" or unicodedata.category(c)[0] in "LN")
    slug = "".join(kept).strip().replace(" ", "-")
    count = seen.get(slug, 0)
    seen[slug] = count + 1
    return f"{slug}-{count}" if count else slug


def anchors(path):
    seen = {}
    text = FENCE.sub(blank, path.read_text(encoding="utf-8"))
    return {anchor(match.group(1), seen) for match in HEADING.finditer(text)}


def missing_tests(file):
    """Tests that the map names and its files do not have."""
    text = (ROOT / file).read_text(encoding="utf-8")
    for match in NAMED_TESTS.finditer(text):
        place = (ROOT / file).parent / match.group(1)
        code = place.read_text(encoding="utf-8") if place.is_file() else ""
        line = text.count("\n", 0, match.start()) + 1
        for name in re.findall(r"`([a-z0-9_]+)`", match.group(2)):
            if not re.search(rf"\bfn {name}\b", code):
                yield f"{file}:{line}: {match.group(1)} has no test {name}"


def main():
    files = known_files()
    folders = {parent for file in files for parent in file.parents}
    wrong = []
    for file in sorted(files):
        if file.suffix != ".md":
            continue
        text = CODE.sub(blank, FENCE.sub(blank, (ROOT / file).read_text(encoding="utf-8")))
        for match in [*LINK.finditer(text), *DEFINITION.finditer(text)]:
            target = match.group(1)
            if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:|//", target):
                continue
            path, _, fragment = target.partition("#")
            line = text.count("\n", 0, match.start()) + 1
            place = ROOT / file.parent / unquote(path) if path else ROOT / file
            place = place.resolve()
            inside = place.relative_to(ROOT) if place.is_relative_to(ROOT) else None
            if path.startswith("/") or inside is None:
                wrong.append(f"{file}:{line}: {target} leads out of the repository")
            elif inside not in files and inside not in folders:
                wrong.append(f"{file}:{line}: {target} does not exist")
            elif fragment and place.suffix == ".md" and unquote(fragment) not in anchors(place):
                wrong.append(f"{file}:{line}: {target}: no such heading")
    wrong.extend(missing_tests(SPEC_MAP) if SPEC_MAP in files else [])
    for complaint in wrong:
        print(complaint, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
