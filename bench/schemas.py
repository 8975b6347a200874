"""Writes what the documents take from the code: schemas of reports and stalls, the public interface, the findings.

Run it with: python bench/schemas.py docs
"""

import argparse
import json
from pathlib import Path

from api import api_page
from findings import findings_page

from loopstall.report.json_csv import Document, json_schema
from loopstall.report.stall_document import StallDocument

SCHEMAS = {"report": Document, "stalls": StallDocument}


def main() -> None:
    """Writes them into a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for name, kind in SCHEMAS.items():
        text = json.dumps(json_schema(kind), indent=1)
        (folder / f"{name}.schema.json").write_text(f"{text}\n", encoding="utf-8")
    (folder / "api.md").write_text(api_page(), encoding="utf-8")
    (folder / "findings.md").write_text(findings_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
