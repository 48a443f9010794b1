"""Amounts in words, for terminals and logs (the window has its own, which can be translated); words not learned."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

# Words that say how others belong together; nobody draws them.
_STOP_WORDS = (
    "a about above across after against all along also am among an and another any are around as at away be because "
    "been before behind being below beneath beside besides between beyond both but by can could did do does down "
    "during each either else even ever every few for from front full further had has have having he her here hers him "
    "his how i if in inside into is it its itself just least left less like little lot lots made make many may me "
    "might mine more most much must my near nearby neither next no nor not now of off often on once one ones only "
    "onto opposite or other others our out outside over own part per perhaps place please quite rather really right "
    "same several shall she should show showing shows side since so some somewhere still such than that the their "
    "them then there these they this those though through throughout till to together too toward towards two three "
    "four five six seven eight nine ten under underneath until up upon us very via view was we well were what when "
    "where which while who whole whom whose why will with within without would yet you your photo photos photograph "
    "photographs picture pictures image images photographed drawing scene"
)
STOP_WORDS = frozenset(_STOP_WORDS.split())
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_DOUBLED = re.compile(r"([b-df-hj-np-tv-z])\1$")


def size_words(size: float) -> str:
    """Return a number of bytes in words: "2.1 GB"."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def time_words(seconds: float) -> str:
    """Return a length of time in words: "about 20 s", "about 2 h 10 min"."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"about {minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"about {hours} h {minutes} min" if minutes else f"about {hours} h"


def distance_words(metres: float) -> str:
    """Return a distance in words: "120 m", "1.4 km"."""
    return f"{metres / 1000:,.1f} km" if metres >= 995 else f"{metres:.0f} m"


def unknown_words(prompt: str, known: Collection[str]) -> tuple[str, ...]:
    """Return the words of a prompt that a model has not learned, in their order, each once.

    Plurals and other endings of a learned word count as learned (`mansions`, `parked` for `park`), so do the parts
    of words with hyphens. Stop words, numbers and single letters are never reported.

    Args:
        prompt: what a person wrote.
        known: single words that the model has learned, in any case; nothing is reported if there are none.

    Returns:
        Words in lower case.
    """
    learned = {_plain(part) for word in known for part in _WORD.findall(word)}
    if not learned:
        return ()
    stems = {stem for word in learned for stem in _stems(word)}
    unknown: list[str] = []
    for word in _WORD.findall(prompt):
        plain = _plain(word)
        if len(plain) > 1 and plain not in STOP_WORDS and not stems & _stems(plain):
            unknown.append(word.lower())
            stems |= _stems(plain)
    return tuple(unknown)


def _plain(word: str) -> str:
    """Lower case, without accents and without a final 's."""
    letters = unicodedata.normalize("NFKD", word.lower().replace("’", "'"))
    return re.sub(r"'s?$", "", "".join(letter for letter in letters if not unicodedata.combining(letter)))


def _stems(word: str) -> set[str]:
    """What a word may be an ending of, itself included. Too many rather than too few: a false alarm is worse."""
    stems = {word}
    for ending, others in (
        ("ies", ("y", "ie")),
        ("ves", ("f", "fe")),
        ("es", ("", "e")),
        ("s", ("",)),
        ("ing", ("", "e")),
        ("ied", ("y",)),
        ("ed", ("", "e")),
        ("y", ("", "e")),
        ("en", ("", "e")),
    ):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= 3:
            stems.update(stem + other for other in others)
            stems.add(_DOUBLED.sub(r"\1", stem))
    # Some plurals have forms of their own.
    singular = {"people": "person", "men": "man", "women": "woman", "children": "child", "feet": "foot"}.get(word)
    return stems | {singular} if singular else stems
