"""Arm: an arm of a running experiment, as an engine answers in it."""

from dataclasses import dataclass

from api.engines.arm_lists import ArmLists
from recsys.experiments.assignment import ArmName


@dataclass(frozen=True)
class Arm:
    """An arm of a running experiment, whose salt is `experiment`: its lists are counted in `lists`.

    `is_popular`: it lists what is popular, whatever is known of the user.
    """

    name: ArmName
    experiment: str
    is_popular: bool
    lists: ArmLists
