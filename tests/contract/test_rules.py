"""A refusal is excused by the rules that it is about, and by nothing else."""

import re
import unittest
from pathlib import Path

from rules import RULES, broken_by, rules, unexcused

CRATES = Path(__file__).parents[2] / "crates"
NO_NAME = {"pointer": "/display/name", "detail": "a display needs a name"}
UNKNOWN = {"pointer": "/display/name", "detail": "a display needs patience"}


class Rules(unittest.TestCase):
    def test_a_place_that_is_about_a_rule_is_excused(self) -> None:
        self.assertEqual(unexcused([NO_NAME]), [])

    def test_unknown_words_are_not_excused(self) -> None:
        self.assertEqual(unexcused([UNKNOWN]), [UNKNOWN])

    def test_every_place_of_a_refusal_is_judged_by_itself(self) -> None:
        self.assertEqual(unexcused([NO_NAME, UNKNOWN, NO_NAME]), [UNKNOWN])

    def test_words_count_as_a_whole(self) -> None:
        for detail in ("a display needs a name, too", "and a display needs a name"):
            self.assertIsNone(broken_by("/display/name", detail))

    def test_places_count_as_a_whole(self) -> None:
        for pointer in ("", "/name", "/display/name/0", "/credentialDefinitions/display/name", "/other/display/name"):
            self.assertIsNone(broken_by(pointer, "a display needs a name"))
        self.assertIsNotNone(broken_by("/credentialDefinitions/3/display/name", "a display needs a name"))

    def test_wildcards_stand_for_one_step_any_steps_and_some_words(self) -> None:
        (rule,) = rules(("/a/*/claims/**", "the claim {} is mandatory"))
        for pointer in ("/a/0/claims", "/a/0/claims/", "/a/0/claims/x/1\n"):
            self.assertTrue(rule.is_broken_by(pointer, "the claim [\n] is mandatory"), pointer)
        for pointer in ("/a/claims", "/a/0/1/claims", "/a/0/claimsx", "a/0/claims"):
            self.assertFalse(rule.is_broken_by(pointer, "the claim x is mandatory"), pointer)
        self.assertFalse(rule.is_broken_by("/a/0/claims", "the claim  is mandatory"))

    def test_the_product_still_says_every_rule(self) -> None:
        sources = "\n".join(path.read_text(encoding="utf-8") for path in CRATES.glob("*/src/**/*.rs"))
        sources = re.sub(r"\\\n\s*", "", sources)
        for rule in RULES:
            # A cause stands behind a colon, and elsewhere in the product.
            for words in re.split(r"\{\}|(?<=: )", rule.words):
                self.assertIn(words, sources, rule)

    def test_no_rule_is_there_twice(self) -> None:
        self.assertEqual(len(RULES), len({(rule.place, rule.words) for rule in RULES}))


if __name__ == "__main__":
    unittest.main()
