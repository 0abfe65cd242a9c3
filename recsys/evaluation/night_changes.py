"""What a night's log and catalogue gained or lost beside those of the serving version, in one sentence."""

from recsys.data.profile import LogProfile
from recsys.evaluation.kept_nights import KeptNight, Night
from recsys.evaluation.number_format import count, percent
from recsys.evaluation.outcome import Statement


def changes_since(serving: KeptNight, night: Night) -> Statement | None:
    """The sizes that both nights know, each with its change; None if there are none.

    Changes within the limits refuse nothing, but the report shows them.
    """
    before, now = _sizes(serving.profile), _sizes(night.profile)
    both = {name: (was, size) for name, size in now.items() if size is not None and (was := before[name])}
    if not both:
        return None
    if all(was == size for was, size in both.values()):
        return Statement(light="good", text=f"log and catalogue are as large as those of {serving.version}")
    parts = [_part(name, *sizes) for name, sizes in both.items()]
    gone = f"; {percent(round(night.gone_users, 4))} of its users are gone" if night.gone_users else ""
    return Statement(light="good", text=f"compared with {serving.version}: {', '.join(parts)}{gone}")


def _sizes(profile: LogProfile) -> dict[str, int | None]:
    catalogue = None if profile.catalogue is None else profile.catalogue.n_items
    return {
        "rows accepted": profile.accepted,
        "users": profile.n_users,
        "items": profile.n_items,
        "items in the catalogue": catalogue,
    }


def _part(name: str, was: int, now: int) -> str:
    if now == was:
        return f"{count(now)} {name} (the same)"
    share = abs(now - was) / was
    change = "less than 0.1 %" if share < 0.001 else percent(round(share, 3))
    return f"{count(now)} {name} ({change} {'more' if now > was else 'fewer'})"
