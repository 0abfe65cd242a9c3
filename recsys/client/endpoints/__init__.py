"""Every operation of the service, described once for both clients."""

from recsys.client.endpoints.events import EventEndpoints
from recsys.client.endpoints.items import ItemEndpoints
from recsys.client.endpoints.lists import ListEndpoints
from recsys.client.endpoints.people import PeopleEndpoints
from recsys.client.endpoints.service import ServiceEndpoints


class Endpoints(ListEndpoints, EventEndpoints, ItemEndpoints, PeopleEndpoints, ServiceEndpoints):
    """The methods of `Client` and `AsyncClient`, one per operation of the OpenAPI document, under its name."""
