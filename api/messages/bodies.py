"""Every body of a request."""

from api.messages.body import Body
from api.messages.item_bodies import ItemsBody, PostedBody, SearchBody, SimilarBody, UpdateBody, UpdatesBody
from api.messages.page_bodies import PageBody
from api.messages.question_bodies import BatchBody, QuestionBody, RankBody

BODIES: tuple[type[Body], ...] = (
    QuestionBody,
    BatchBody,
    PageBody,
    SimilarBody,
    SearchBody,
    PostedBody,
    UpdateBody,
    UpdatesBody,
    ItemsBody,
    RankBody,
)
"""Every body that a route takes."""
