"""Which single word decides: a story is judged again without each word of ours in it, one at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from services.classifier.classify import Item, classify

if TYPE_CHECKING:
    from schemas.claim import Field_
    from services.classifier.classify import Model, Reading

WORDS_MAX = 60
"""Words that are tried; a longer story hardly hangs on one."""
BLANK = "_"

Places = list[tuple["Field_", int, int]]


def flips(item: Item, model: Model, reading: Reading) -> list[str]:
    """Return the words without which the flag would be the other way round, in their order; each wherever it stands."""
    flagged = classify(item, model).flagged
    return [
        word
        for word, places in list(_words(reading, model).items())[:WORDS_MAX]
        if classify(_without(item, places), model).flagged != flagged
    ]


def _words(reading: Reading, model: Model) -> Mapping[str, Places]:
    """Return every form that was found, masks and frames too, as written where it first stands, with all its places."""
    written: dict[str, str] = {}
    found: dict[str, Places] = {}
    for field, view in reading.fields:
        for hit in model.matcher.hits(view, reading.languages):
            low = view.low[hit.start : hit.end]
            word = written.setdefault(low, view.cased[hit.start : hit.end])
            place = (field, *view.span(hit.start, hit.end))
            if place not in found.setdefault(word, []):
                found[word].append(place)
    return found


def _without(item: Item, places: Places) -> Item:
    """Return the item with these places blotted out, nothing moved."""
    fields = {"title": item.title, "summary": item.summary, "text": item.text}
    for field, start, end in places:
        fields[field] = fields[field][:start] + BLANK * (end - start) + fields[field][end:]
    return Item(item.id, fields["title"], fields["summary"], fields["text"], item.language)
