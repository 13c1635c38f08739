"""`Completion.raw` of a stream: the last chunk and every unknown key."""

import pytest

from aimlchat import StreamParser


class TestRaw:
    def test_raw_is_the_last_chunk(self, read, chunk):
        last = chunk(finish="stop", usage={"total_tokens": 3})
        assert read(chunk({"content": "a"}), last).completion.raw == last

    @pytest.mark.parametrize("position", [0, 1, 2])
    def test_unknown_top_level_keys_of_any_chunk_are_kept(self, read, chunk, position):
        chunks = [chunk({"content": "a"}), chunk({"content": "b"}), chunk(finish="stop")]
        chunks[position]["service_tier"] = "default"
        completion = read(*chunks).completion
        assert completion.text == "ab"
        assert completion.raw["service_tier"] == "default"

    def test_the_last_value_of_an_unknown_key_is_kept(self, read, chunk):
        chunks = [chunk({"content": str(i)}, hop=i, fee={"n": i}) for i in range(5)]
        completion = read(*chunks, chunk(finish="stop")).completion
        assert completion.text == "01234"
        assert (completion.raw["hop"], completion.raw["fee"]) == (4, {"n": 4})

    def test_a_new_unknown_key_in_every_chunk_loses_nothing(self, read, chunk):
        chunks = [chunk({"content": "a"}, **{f"key_{i}": i}) for i in range(40)]
        completion = read(*chunks, chunk(finish="stop")).completion
        assert completion.text == "a" * 40
        assert [completion.raw[f"key_{i}"] for i in range(40)] == list(range(40))

    @pytest.mark.parametrize(
        "key",
        ["", "\0", '"', "\\", "\ud800", "é", "a b", "\u2028", "extra_0", "__init__", "x-y"],
        ids=ascii,
    )
    def test_an_unknown_key_may_have_any_name(self, read, chunk, key):
        chunks = [chunk({"content": str(i)}, **{key: i, "extra_1": "x"}) for i in range(3)]
        completion = read(*chunks, chunk(finish="stop")).completion
        assert completion.text == "012"
        assert completion.raw[key] == 2

    def test_raw_of_a_partial_is_the_last_chunk_so_far(self, sse, chunk):
        parser = StreamParser()
        parser.feed(sse(chunk({"content": "a"}, hop=1), chunk({"content": "b"})))
        assert parser.partial.raw["hop"] == 1
        assert parser.partial.raw["choices"][0]["delta"] == {"content": "b"}
