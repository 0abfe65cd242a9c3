"""What the service answers: frozen dataclasses under the names of the OpenAPI document."""

from recsys.client.replies.base import (
    ListReply,
    Reply,
)
from recsys.client.replies.items import (
    ForgottenItem,
    ItemDescription,
    ItemReply,
    ItemsReply,
    MapReply,
    Place,
)
from recsys.client.replies.lists import (
    BatchReply,
    Candidate,
    ItemRef,
    ItemsFound,
    ItemsSimilarToSeveral,
    Like,
    Ranked,
    RankedCandidates,
    RankedUser,
    Reason,
    Recommendations,
    SimilarItems,
    SimilarUsers,
    User,
    UserRef,
)
from recsys.client.replies.service import (
    Alive,
    ModelReply,
    Ready,
    Serving,
    StoresReady,
)

__all__ = [
    "Alive",
    "BatchReply",
    "Candidate",
    "ForgottenItem",
    "ItemDescription",
    "ItemRef",
    "ItemReply",
    "ItemsFound",
    "ItemsReply",
    "ItemsSimilarToSeveral",
    "Like",
    "ListReply",
    "MapReply",
    "ModelReply",
    "Place",
    "Ranked",
    "RankedCandidates",
    "RankedUser",
    "Ready",
    "Reason",
    "Recommendations",
    "Reply",
    "Serving",
    "SimilarItems",
    "SimilarUsers",
    "StoresReady",
    "User",
    "UserRef",
]
