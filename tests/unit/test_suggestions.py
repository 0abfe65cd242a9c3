from recsys.suggestions import nearest_name


def test_a_slip_finds_its_name_in_any_case():
    assert nearest_name("FACTROS", ["seed", "factors"]) == "factors"


def test_a_name_unlike_all_others_finds_none():
    assert nearest_name("xyz", ["seed", "factors"]) is None
