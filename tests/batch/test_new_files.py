"""The files that a run makes beside the output: nobody else's, and nobody else can read them."""

import os
import stat

import pytest

from aimlchat.batch import run
from aimlchat.batch.disk import copy_permissions

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes and links")


@pytest.fixture
async def with_failure(session, emulator, files):
    """Return the bytes of an output with two results; that of row-0 is a failure."""
    files.write_prompts(2)
    emulator.fail(status=400)
    await run(session, files.source, files.target, concurrency=1)
    return files.target.read_bytes()


async def test_a_link_under_a_name_of_ours_is_not_followed(session, files, with_failure, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious", encoding="utf-8")
    planted = [files.target.with_name(f"{files.target.name}.new")]
    planted += [tmp_path / name for name in (".aimlchat-.new", "results.jsonl.tmp")]
    for link in planted:
        link.symlink_to(victim)
    assert (await run(session, files.source, files.target, retry_failed=True)).is_success
    assert victim.read_text(encoding="utf-8") == "precious"
    assert all(link.is_symlink() for link in planted)


async def test_a_file_of_the_user_beside_the_output_stays(session, files, with_failure):
    other = files.target.with_name(f"{files.target.name}.new")
    other.write_text("mine", encoding="utf-8")
    assert (await run(session, files.source, files.target, retry_failed=True)).is_success
    assert other.read_text(encoding="utf-8") == "mine"
    assert {*files.target.parent.iterdir()} == {files.source, files.target, other}


@pytest.mark.parametrize("mode", [0o600, 0o644])
async def test_the_copy_has_no_wider_rights_than_the_output_at_any_time(
    session, files, with_failure, monkeypatch, mode
):
    files.target.chmod(mode)
    before = []
    change = os.fchmod

    def record(file, mode):
        status = os.fstat(file)
        before.append((stat.S_IMODE(status.st_mode), status.st_size > 0))
        change(file, mode)

    monkeypatch.setattr("os.fchmod", record)
    await run(session, files.source, files.target, retry_failed=True)
    assert before == [(0o600, True)]
    assert stat.S_IMODE(files.target.stat().st_mode) == mode


def test_a_group_that_the_user_cannot_give_to_the_copy_gets_no_rights(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError

    source, target = tmp_path / "source", tmp_path / "target"
    source.touch()
    target.touch()
    source.chmod(0o664)
    with source.open("rb") as old, target.open("wb") as new, monkeypatch.context() as patch:
        fstat = os.fstat

        def change_group(file):
            status = fstat(file)
            other = (*status[:5], status.st_gid + 1, *status[6:])
            return os.stat_result(other) if file == old.fileno() else status

        patch.setattr("os.fchown", refuse)
        patch.setattr("os.fstat", change_group)
        copy_permissions(old.fileno(), new.fileno())
    assert stat.S_IMODE(target.stat().st_mode) == 0o604
