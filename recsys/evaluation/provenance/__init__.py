"""Provenance: the data of a version, and how its model and index were made, as the steps report it."""

from recsys.evaluation.provenance.choices import Attempt, Choice, SessionWeight, Stopping, Tradeoff, TradeoffPoint
from recsys.evaluation.provenance.index_summary import IndexCandidate, IndexNotBuilt, IndexSummary
from recsys.evaluation.provenance.model_summary import (
    Continuity,
    LocalPart,
    MeanOfVisitors,
    VisitorsSummary,
    VisitorsWithItems,
)
from recsys.evaluation.provenance.provenance import LogSource, Provenance
from recsys.evaluation.provenance.split_summary import LearnedFrom, SplitSummary, StrayTimes, other_users
from recsys.evaluation.provenance.summary import (
    BaselineSettings,
    Cleaning,
    OfPrepare,
    OrAbsent,
    Rows,
    Summary,
    Value,
    in_words,
)

__all__ = [
    "Attempt",
    "BaselineSettings",
    "Choice",
    "Cleaning",
    "Continuity",
    "IndexCandidate",
    "IndexNotBuilt",
    "IndexSummary",
    "LearnedFrom",
    "LocalPart",
    "LogSource",
    "MeanOfVisitors",
    "OfPrepare",
    "OrAbsent",
    "Provenance",
    "Rows",
    "SessionWeight",
    "SplitSummary",
    "Stopping",
    "StrayTimes",
    "Summary",
    "Tradeoff",
    "TradeoffPoint",
    "Value",
    "VisitorsSummary",
    "VisitorsWithItems",
    "in_words",
    "other_users",
]
