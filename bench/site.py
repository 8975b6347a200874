"""Builds the documentation site, strictly, and checks every link within it.

    python bench/site.py [-o FOLDER] [--external]

A warning of Sphinx's fails it, and so does a link to a page, a file or a heading that is not there. With --external the
links to other sites are asked for as well, which takes the network and the patience of those sites.
"""

import argparse
from html.parser import HTMLParser
from pathlib import Path
import shutil
import subprocess
import sys
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent


class Page(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes what an element leads to, and its name."""
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif value and (name == "src" or (name == "href" and tag in {"a", "link"})):
                self.links.append(value)


def broken(folder: Path) -> tuple[int, list[str]]:
    """Returns how many links within a site there are, and those that lead nowhere."""
    pages = {path.resolve(): Page(path) for path in sorted(folder.rglob("*.html"))}
    count, wrong = 0, []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            count += 1
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            other = pages.get(target)
            anchor = unquote(parts.fragment)
            if not target.exists() or (anchor and (other is None or anchor not in other.anchors)):
                wrong.append(f"{path.relative_to(folder.resolve())}: {link}")
    return count, wrong


def sphinx(builder: str, folder: Path) -> int:
    """Runs a builder of Sphinx's, for which a warning is an error, and returns its exit code."""
    words = ("-m", "sphinx", "-W", "--keep-going", "-q", "-b", builder, "docs", str(folder))
    return subprocess.run([sys.executable, *words], cwd=ROOT, check=False).returncode


def main() -> int:
    """Builds, checks and prints how much there is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "build" / "site")
    parser.add_argument("--external", action="store_true")
    given = parser.parse_args()
    shutil.rmtree(given.output, ignore_errors=True)
    if sphinx("html", given.output):
        return 1
    count, wrong = broken(given.output)
    print(*(f"leads nowhere: {link}" for link in wrong), sep="\n", end="\n" if wrong else "", file=sys.stderr)
    print(f"{len(list(given.output.rglob('*.html')))} pages, {count} links within: {given.output / 'index.html'}")
    outside = sphinx("linkcheck", given.output.with_name("links")) if given.external else 0
    return int(bool(wrong or outside))


if __name__ == "__main__":
    sys.exit(main())
