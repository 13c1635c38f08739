"""The typed batch in docs/examples: a table of reviews, and the lines that have none."""

import asyncio
import csv

GOOD = {"mood": "good", "stars": 5, "topics": ["color"]}


def script(emulator, word, *outputs, **options):
    for output in outputs:
        emulator.reply(output=output, when=lambda record: word in str(record.body), **options)


async def test_a_table_has_the_reviews_and_the_rest_is_named(example, emulator, tmp_path, capsys):
    source, target = tmp_path / "reviews.txt", tmp_path / "reviews.csv"
    source.write_text("I love it.\nIt broke.\nToo long.\nIt is a chair.\n", encoding="utf-8")
    script(emulator, "love", GOOD)
    script(emulator, "broke", GOOD | {"stars": 0}, GOOD | {"mood": "bad", "stars": 1})
    script(emulator, "long", GOOD, broken="truncated")
    script(emulator, "chair", GOOD | {"stars": 9}, GOOD | {"stars": 8})

    program = example("typed_batch.py")
    is_complete = await asyncio.to_thread(program["main"], str(source), str(target))

    assert not is_complete
    with target.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["line", "mood", "stars", "topics"],
        ["1", "good", "5", "color"],
        ["2", "bad", "1", "color"],
    ]
    printed = capsys.readouterr()
    assert "2 of 4 reviews, $0." in printed.out
    assert "line 3: truncated: " in printed.err
    assert "line 4: invalid: " in printed.err
    assert len(emulator.requests) == 6
