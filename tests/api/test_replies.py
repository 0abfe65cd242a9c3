from api.messages.user_replies import Recommendations
from recsys.engine import Answer, Ranked
from recsys.online.recommendation_id import new_id


def test_a_number_that_is_none_becomes_null_never_nan():
    items = (Ranked("a", float("nan"), 1, None), Ranked("b", float("-inf"), 2, None))
    answer = Answer(
        model_version="v0",
        recommendation_id=new_id("recommendations", "v0"),
        user_id="ada",
        user_status="known",
        requested=2,
        items=items,
    )
    reply = Recommendations.of(answer).model_dump_json()
    assert reply.count('"score":null') == 2
