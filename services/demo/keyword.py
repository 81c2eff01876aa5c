"""What a plain keyword alert would have sent: the two countries' names in one item, in the languages of the day.

This is the comparison that the summary of the demo day ends with: one message for each item that names both, which is
how search alerts work. Counted, not claimed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas import Story

NORTH_KOREA = re.compile(
    r"north korea|n\. korea|\bdprk\b|nordkorea|corée du nord|nord-coréen|corea del norte|norcorean|corea del nord"
    r"|nordcorean|kore[aięą] północn|północnokorea|кндр|северн\w+ коре|северокоре|північн\w+ коре|північнокоре"
    r"|북한|北朝鮮|朝鲜|朝鮮|北韓|北韩|كوريا الشمالية|pyongyang|pjöngjang|pjongjang|pionyang|пхеньян|평양|平壤|بيونغ يانغ",
    re.IGNORECASE,
)
RUSSIA = re.compile(
    r"russia|russland|russisch|russie|\brusse|rusia|\brus[oa]s?\b|rosj|rosyj|ryssland|rysk|росси|росій|росі[яїю]|\bрф\b"
    r"|러시아|ロシア|俄罗斯|俄羅斯|俄国|俄國|روسي|moscow|moskau|moscou|moscú|moskwa|moskva|mosca|москв|모스크바|莫斯科|موسكو|kremlin|kreml|кремл",
    re.IGNORECASE,
)


def names_both(story: Story) -> bool:
    """Whether an item's title, summary or text names both countries."""
    text = "\n".join((story.title, story.summary, story.text or ""))
    return bool(NORTH_KOREA.search(text) and RUSSIA.search(text))


def keyword_alerts(stories: Iterable[Story]) -> int:
    """Return how many messages a keyword alert sends for these stories: one an item, revisions of it not again."""
    return len({story.id for story in stories if story.arrival != "backfill" and names_both(story)})
