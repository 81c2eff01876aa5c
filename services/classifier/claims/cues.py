"""The names of the cues that a language's page may fill; README.md beside the pages says what each means."""

from __future__ import annotations

SPEECH = frozenset({"say", "according", "carry", "we", "ask", "this"})
STANCE = frozenset(
    {
        "believe",
        "forecast",
        "see",
        "imagery",
        "physical",
        "identify",
        "confirm",
        "allege",
        "may",
        "fear",
        "warn",
        "want",
        "agree",
        "plan",
        "will",
        "deny",
        "decline",
        "retract",
        "debunk",
        "echo",
        "monitor",
        "sanction",
        "if",
        "not",
    }
)
EVENTS = frozenset(
    {
        "give",
        "get",
        "supplier",
        "help",
        "tech",
        "train",
        "deploy",
        "fight",
        "casualty",
        "use",
        "found",
        "move",
        "load",
        "unload",
        "ship",
        "exchange",
        "cooperate",
        "treaty",
        "visit",
        "work",
        "honour",
        "talk",
    }
)
GRAMMAR = frozenset(
    {
        "from",
        "to",
        "at",
        "from_after",
        "to_after",
        "at_after",
        "subject_after",
        "from_form",
        "to_form",
        "both",
        "break",
        "keep",
        "and",
        "end",
        "void",
    }
)
SHADE = frozenset({"old", "opinion"})
CUES = SPEECH | STANCE | EVENTS | GRAMMAR | SHADE
