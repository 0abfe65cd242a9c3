"""`--users fold_in`: the same replies without the vectors of users, and what cannot be answered then says so."""

from urllib.parse import quote

from api.settings import Settings
from recsys.artifacts.registry import Registry


def test_replies_are_the_same_to_the_bit(service, start, store):
    folding = start(Settings(store=store, users="fold_in"))
    assert Registry(store, users="fold_in").load().folds_users
    users = Registry(store).load().users.ids.to_pylist()
    assert len(users) > 3
    for path in (f"/v1/users/{quote(user, safe='')}/recommendations?k=20" for user in users):
        expected, found = service.get(path).json(), folding.get(path).json()
        assert found["user"]["status"] == "known"
        assert {**found, "recommendation_id": ""} == {**expected, "recommendation_id": ""}


def test_users_are_not_compared(start, store):
    reply = start(Settings(store=store, users="fold_in")).get("/v1/users/ada/similar")
    assert (reply.status_code, reply.json()["code"]) == (409, "no_user_vectors")
