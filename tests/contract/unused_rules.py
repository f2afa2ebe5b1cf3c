"""Names the rules that no refusal was about. Chance decides what is drawn: a rule that many runs leave unused has no use.

    unused_rules.py USED
"""

import json
import sys
from pathlib import Path

from rules import RULES


def main() -> None:
    used = {tuple(json.loads(line)) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()}
    unused = [rule for rule in RULES if (rule.place, rule.words) not in used]
    print(f"{len(RULES) - len(unused)} of {len(RULES)} rules that no schema states were met; not met:")
    for rule in unused:
        print(f"  {rule.place or '(the whole body)'}: {rule.words}")


if __name__ == "__main__":
    main()
