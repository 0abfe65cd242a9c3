import pytest

BODY = {"200", "408", "413", "422", "500", "503"}
PATHS = {
    ("get", "/v1/users/{user_id}/recommendations"): {"200", "422", "500", "503"},
    ("get", "/v1/users/{user_id}/similar"): {"200", "404", "422", "500", "503"},
    ("get", "/v1/items/{item_id}/similar"): {"200", "404", "422", "500", "503"},
    ("get", "/v1/items/{item_id}"): {"200", "404", "422", "500", "503"},
    ("get", "/v1/model"): {"200", "422", "500", "503"},
    ("post", "/v1/recommendations"): BODY | {"404", "409"},
    ("post", "/v1/recommendations:batch"): BODY | {"404", "409"},
    ("post", "/v1/items:similar"): BODY | {"404"},
    ("post", "/v1/rank"): BODY,
    ("get", "/livez"): {"200"},
    ("get", "/readyz"): {"200", "500", "503"},
}


@pytest.fixture(scope="module")
def schema(service):
    return service.get("/openapi.json").json()


def test_every_route_and_every_status_is_documented(schema):
    assert {
        (method, path): set(operation["responses"])
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    } == PATHS


def test_errors_are_documented_as_problems(schema):
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    operations = [operation for path in schema["paths"].values() for operation in path.values()]
    for status, response in (answer for operation in operations for answer in operation["responses"].items()):
        if status != "200":
            assert response["content"] == problem
    assert set(schema["components"]["schemas"]["Problem"]["required"]) == {
        "type",
        "title",
        "status",
        "detail",
        "code",
        "request_id",
    }


def test_every_body_is_documented_with_an_example_that_answers(schema, service):
    for path, operations in schema["paths"].items():
        if "post" in operations:
            content = operations["post"]["requestBody"]["content"]["application/json"]
            assert content["schema"]["$ref"].startswith("#/components/schemas/")
            assert service.send("POST", path, json=content["example"]).status_code == 200


def test_bounds_of_bodies_are_documented(schema):
    fields = schema["components"]["schemas"]["QuestionBody"]["properties"]
    assert {"minimum": 1, "maximum": 1000, "default": 10}.items() <= fields["k"].items()
    assert fields["events"]["maxItems"] == 10_000
    assert schema["components"]["schemas"]["QuestionBody"]["additionalProperties"] is False


def test_no_reference_leads_nowhere(schema):
    known = {f"#/components/schemas/{name}" for name in schema["components"]["schemas"]}
    assert set(_references(schema)) <= known


def test_k_is_documented_with_its_bounds(schema):
    parameters = schema["paths"]["/v1/items/{item_id}/similar"]["get"]["parameters"]
    (k,) = (parameter for parameter in parameters if parameter["name"] == "k")
    assert {"type": "integer", "minimum": 1, "maximum": 1000, "default": 10}.items() <= k["schema"].items()


def test_the_docs_page_is_served(service):
    reply = service.get("/docs")
    assert reply.status_code == 200
    assert "/openapi.json" in reply.text


def _references(node):
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _references(child)
