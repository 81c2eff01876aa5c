"""The messages of the pipeline: frozen pydantic models, one file each, and nothing else."""

from schemas.alert import Alert, AlertChange, AlertEvidence, AlertSource
from schemas.claim import Claim, SeverityParts
from schemas.delivery import Delivery
from schemas.feed import Feed
from schemas.feed_event import FeedEvent
from schemas.feed_seen import FeedSeen, SeenEntry
from schemas.feed_state import FeedState
from schemas.feedback import Feedback
from schemas.fingerprint import Fingerprint
from schemas.silence import Silence
from schemas.story import Source, Story, StoryHead
from schemas.storyline import Counts, MemberBrief, Storyline
from schemas.storyline_member import StorylineMember
from schemas.subscriber import Match, Subscriber
from schemas.verdict import MONITOR, Contribution, Entity, Evidence, ModelVersion, Verdict

__all__ = [
    "MONITOR",
    "Alert",
    "AlertChange",
    "AlertEvidence",
    "AlertSource",
    "Claim",
    "Contribution",
    "Counts",
    "Delivery",
    "Entity",
    "Evidence",
    "Feed",
    "FeedEvent",
    "FeedSeen",
    "FeedState",
    "Feedback",
    "Fingerprint",
    "Match",
    "MemberBrief",
    "ModelVersion",
    "SeenEntry",
    "SeverityParts",
    "Silence",
    "Source",
    "Story",
    "StoryHead",
    "Storyline",
    "StorylineMember",
    "Subscriber",
    "Verdict",
]
