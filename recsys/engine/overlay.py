"""Overlay: the posted items of one version, which change while it serves, beside everything that does not."""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from typing import Self

from recsys.artifacts.bundle import Bundle
from recsys.engine.answers import Answer, ItemView, refuse_incomplete
from recsys.engine.comparison import needs_content
from recsys.engine.comparisons import Comparisons
from recsys.engine.new_places import NewPlaces
from recsys.engine.posted import PostedEncoder, PostedItem, check_posted, no_posted
from recsys.engine.posted_lists import PostedLists
from recsys.engine.question import Question
from recsys.engine.stopping import Check, go_on
from recsys.engine.user_profiles import UserProfile, UserProfiles

AnswerMany = Callable[[Sequence[Question]], list[Answer]]
"""Answers from the version alone."""


class Overlay:
    """Holds the posted items of the moment: `use` swaps one reference, so that a list has all of them or none."""

    def __init__(self, bundle: Bundle, profiles: UserProfiles, comparisons: Comparisons) -> None:
        self._bundle, self._profiles, self._comparisons = bundle, profiles, comparisons
        self._posted = no_posted(bundle)

    def over(self, bundle: Bundle) -> Self:
        """An overlay of its own of the same posted items, beside other titles and attributes of the version's."""
        changed = copy(self)
        changed._bundle = bundle
        return changed

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the posted items."""
        return tuple(self._posted.items.ids.ids.to_pylist())

    def use(self, posted: Sequence[PostedItem]) -> int:
        """List these from now on; how many of them there are. See `Engine.use_posted`."""
        if posted or len(self._posted):
            self._posted = self._encoder.encode(posted)
        return len(self._posted)

    def check(self, posted: PostedItem) -> None:
        """Raise InvalidRequestError if it does not fit the version's attributes, NoContentError without content."""
        needs_content(self._bundle.content)
        check_posted(posted, self._bundle.items)

    def answer(
        self, questions: Sequence[Question], of_version: AnswerMany, places: NewPlaces, *, check: Check = go_on
    ) -> list[Answer]:
        """The answers `of_version` with the posted items in them. `check` is called between questions."""
        posted = self._posted
        if not len(posted):
            return of_version(questions)
        lists = PostedLists(posted, places)
        found = of_version([replace(question, strict=False) for question in questions])
        whole: list[Answer] = []
        profile = self._profiles.remembering()
        for question, answer in zip(questions, found, strict=True):
            check()
            whole.append(self._whole(lists, question, answer, profile(question)))
        return whole

    def view(self, item_id: str) -> ItemView | None:
        """What is known of a posted item; None if it is none."""
        posted = self._posted
        items, vectors = posted.items, posted.vectors
        at = items.ids.position(item_id)
        if at is None:
            return None
        has_vector = bool(vectors[at].any())
        return ItemView(item_id, items.title(at), items.attributes(at), 0, has_vector, has_vector or None)

    def _whole(self, lists: PostedLists, question: Question, answer: Answer, profile: UserProfile) -> Answer:
        whole = lists.with_posted(question, answer, profile)
        if question.strict:
            is_user = question.user_id is None or self._profiles.find(question.user_id) is not None
            refuse_incomplete(whole, is_user=is_user)
        return whole

    @cached_property
    def _encoder(self) -> PostedEncoder:
        return PostedEncoder(self._bundle, self._comparisons.comparison("content"))
