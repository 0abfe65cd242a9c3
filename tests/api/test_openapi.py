import pytest

PATHS = {
    "/v1/users/{user_id}/recommendations": {"200", "422", "500", "503"},
    "/v1/items/{item_id}/similar": {"200", "404", "422", "500", "503"},
    "/v1/items/{item_id}": {"200", "404", "422", "500", "503"},
    "/v1/model": {"200", "422", "500", "503"},
    "/livez": {"200"},
    "/readyz": {"200", "500", "503"},
}


@pytest.fixture(scope="module")
def schema(service):
    return service.get("/openapi.json").json()


def test_every_route_and_every_status_is_documented(schema):
    assert {path: set(operations["get"]["responses"]) for path, operations in schema["paths"].items()} == PATHS


def test_errors_are_documented_as_problems(schema):
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in schema["paths"].values():
        for status, response in operations["get"]["responses"].items():
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
