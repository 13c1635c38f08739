"""The list of models, `GET /v1/models`."""

import pytest


@pytest.fixture
async def listing(emulator, http):
    async with http.get(f"{emulator.base_url}/models") as response:
        assert response.status == 200
        return response.headers, await response.json()


def test_the_list_needs_no_key_and_has_about_ten_models(listing):
    _, body = listing
    assert body["object"] == "list"
    assert 8 <= len(body["data"]) <= 20


def test_ids_and_aliases_are_unique(listing):
    names = [name for item in listing[1]["data"] for name in {item["id"], *item["aliases"]}]
    assert len(set(names)) == len(names)


def test_every_item_has_the_apis_shape(listing):
    for item in listing[1]["data"]:
        assert item["type"] == "openai/chat-completions"
        assert item["info"].keys() >= {"name", "developer", "description", "releasedAt"}
        assert item["info"]["outputMax"] < item["info"]["contextLength"]
        assert item["tags"]
        assert [unit["measure"] for unit in item["pricing"]["units"]] == ["input", "output"]


@pytest.mark.parametrize("if_none_match", ["{etag}", 'W/{etag}, "other"', "*"])
async def test_a_matching_etag_gets_304_and_no_body(emulator, http, listing, if_none_match):
    headers = {"If-None-Match": if_none_match.format(etag=listing[0]["ETag"])}
    async with http.get(f"{emulator.base_url}/models", headers=headers) as response:
        assert response.status == 304
        assert response.headers["ETag"] == listing[0]["ETag"]
        assert await response.read() == b""


async def test_another_etag_gets_the_list(emulator, http):
    headers = {"If-None-Match": '"stale"'}
    async with http.get(f"{emulator.base_url}/models", headers=headers) as response:
        assert response.status == 200
