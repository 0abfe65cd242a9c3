"""GivenLists: every list that a version gives gets an id, is counted, may be checked, and kept as an impression."""

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from functools import partial
from time import time
from typing import Self, TypeAlias, TypeVar

from api.engines.arm import Arm
from api.engines.recall import RecallCheck, RunningRecall
from api.metrics import Metrics, SearchKind
from recsys.artifacts.bundle import Bundle
from recsys.engine import Answer, CandidateAnswer, Engine, Question, UserAnswer
from recsys.engine.new_items import n_new
from recsys.engine.pages import PageRow
from recsys.event_store.impressions import MOST_ITEMS, Impression
from recsys.online.recommendation_id import ListKind, new_id

AnyAnswer: TypeAlias = Answer | CandidateAnswer | UserAnswer
OfferCheck: TypeAlias = Callable[[RecallCheck], None]
KeepImpression: TypeAlias = Callable[[Impression], None]

_AnyAnswer = TypeVar("_AnyAnswer", Answer, CandidateAnswer, UserAnswer)


class GivenLists:
    """The lists of one version, outside of experiments or in one arm.

    `metrics` counts them, and `offer_check`, if given, receives each list whose recall can be checked; `keep`, if
    given, receives each list of items as an impression.
    """

    def __init__(
        self,
        bundle: Bundle,
        metrics: Metrics,
        *,
        offer_check: OfferCheck | None = None,
        keep: KeepImpression | None = None,
    ) -> None:
        self._version, self._metrics = bundle.manifest.version, metrics
        self._offer_check, self._keep = offer_check, keep
        self._arm: Arm | None = None
        self.recall: Mapping[SearchKind, RunningRecall] = {
            "recommendations": RunningRecall(is_exact=bundle.index.exact is bundle.index),
            "similar_items": RunningRecall(is_exact=bundle.similar.exact is bundle.similar),
        }
        """Recall of the checked lists, by kind."""

    def in_arm(self, arm: Arm) -> Self:
        """The lists of an arm; it shares all but this."""
        changed = copy(self)
        changed._arm = arm
        return changed

    def unseen(self) -> Self:
        """Lists that nobody gets to see: they are no impressions."""
        changed = copy(self)
        changed._keep = None
        return changed

    def recommendation(
        self, question: Question, answer: Answer, engine: Engine, session_id: str | None = None
    ) -> Answer:
        """The list that `engine` gave to `question`."""
        if self._is_checked("recommendations", answer):
            unexplained = replace(question, explain=False) if question.explain else question
            self._offer("recommendations", answer, partial(_ask, unexplained), engine)
        self._metrics.count_new_items(n_new(answer.items))
        return self.counted("recommendations", answer, session_id)

    def similar(self, answer: Answer, ask: Callable[[Engine], Answer], engine: Engine) -> Answer:
        """The list of similar items that `ask` got from `engine`."""
        if self._is_checked("similar_items", answer):
            self._offer("similar_items", answer, ask, engine)
        return self.counted("similar_items", answer)

    def row(self, row: PageRow, session_id: str | None) -> PageRow:
        """A row of a page, which is a list of its own."""
        if row.counts_as == "recommendations":
            self._metrics.count_new_items(n_new(row.answer.items))
        return replace(row, answer=self.counted(row.counts_as, row.answer, session_id))

    def counted(self, kind: ListKind, answer: _AnyAnswer, session_id: str | None = None) -> _AnyAnswer:
        """Any list, with an id."""
        status = None if isinstance(answer, UserAnswer) else answer.user_status
        self._metrics.count_list(kind, user_status=status, is_short=_is_short(answer))
        arm = None if self._arm is None else self._arm.name
        answer = replace(answer, recommendation_id=new_id(kind, self._version, arm), arm=arm)
        if self._keep is not None and not isinstance(answer, UserAnswer):
            self._keep(self._impression(kind, answer, session_id))
        return answer

    def _impression(self, kind: ListKind, answer: Answer | CandidateAnswer, session_id: str | None) -> Impression:
        return Impression(
            recommendation_id=answer.recommendation_id,
            given_at=time(),
            user_id=answer.user_id,
            session_id=session_id,
            version=self._version,
            arm=answer.arm,
            experiment=None if self._arm is None else self._arm.experiment,
            kind=kind,
            status=answer.user_status,
            items=[item.item_id for item in answer.items[:MOST_ITEMS]],
        )

    def _is_checked(self, kind: SearchKind, answer: Answer) -> bool:
        return self._offer_check is not None and not self.recall[kind].is_exact and answer.user_status != "fallback"

    def _offer(self, kind: SearchKind, answer: Answer, ask: Callable[[Engine], Answer], engine: Engine) -> None:
        if self._offer_check is not None:
            self._offer_check(RecallCheck(kind, answer, partial(_ask_exactly, ask, engine), self.recall[kind]))


def _ask(question: Question, engine: Engine) -> Answer:
    return engine.ask(question)


def _ask_exactly(ask: Callable[[Engine], Answer], engine: Engine) -> Answer:
    return ask(engine.with_exact_search())


def _is_short(answer: AnyAnswer) -> bool:
    if isinstance(answer, CandidateAnswer):  # whatever was asked is listed
        return False
    return len(answer.users if isinstance(answer, UserAnswer) else answer.items) < answer.requested
