"""Tombstones: what a line says, what a torn or damaged file is, and what they void."""

from pathlib import Path

import pytest

from recsys.errors import ArtifactError
from recsys.forgotten import HEADER, NEVER, NOBODY, Forgotten, Tombstones, parse_forgotten, read_forgotten

KEY = "ab" * 32
ADA, BOB = (Forgotten(bytes.fromhex(KEY)).digest(name).hex() for name in ("ada", "bob"))
PATH = Path("FORGOTTEN")


def file(*lines: str) -> bytes:
    return "\n".join((f"{HEADER}{KEY}", *lines, "")).encode()


def test_the_last_time_counts() -> None:
    found = parse_forgotten(PATH, file(f"10.000000 {ADA}", f"30.500000 {BOB}", f"20.000000 {ADA}", f"5.000000 {BOB}"))
    assert (found.at("ada"), found.at("bob"), found.at("cem"), found.at(None)) == (20.0, 30.5, NEVER, NEVER)
    assert found.times(["cem", b"ada"]).tolist() == [NEVER, 20.0]
    assert found.at("ada", "session") == NEVER


def test_a_line_that_was_not_finished_does_not_count() -> None:
    assert len(parse_forgotten(PATH, file(f"10.000000 {ADA}") + f"11.000000 {BOB}".encode())) == 1
    assert not parse_forgotten(PATH, b"recsys-forg") and not parse_forgotten(PATH, b"")


@pytest.mark.parametrize("line", ["", "10.000000", f"x {ADA}", f"10.000000 {ADA[:-1]}", f"nan {ADA}", f"10.0 {ADA}"])
def test_a_line_that_is_none_is_named(line: str) -> None:
    with pytest.raises(ArtifactError, match="FORGOTTEN: line 3 is no tombstone"):
        parse_forgotten(PATH, file(f"10.000000 {ADA}", line))


def test_a_header_that_is_none_is_named() -> None:
    with pytest.raises(ArtifactError, match="line 1"):
        parse_forgotten(PATH, b"something else\n")


def test_what_is_from_before_is_void() -> None:
    found = parse_forgotten(PATH, file(f"10.000000 {ADA}"))
    assert [found.of_version(made_at, "ada") for made_at in (9.0, 10.0, 10.5)] == [True, True, False]
    assert not found.of_version(0.0, "bob")
    assert found.named_in("x,ada;7") and found.named_in("ada") and not found.named_in("adam,bob")
    assert not NOBODY.named_in("ada")


def test_no_id_is_in_a_digest_and_another_key_gives_another(tmp_path: Path) -> None:
    one, other = (Forgotten.as_if(["ada"], at=1.0) for _ in range(2))
    assert one.until.keys() != other.until.keys() and one.at("ada") == other.at("ada") == 1.0
    assert read_forgotten(tmp_path) is NOBODY


def test_a_file_is_read_again_when_it_has_grown_and_not_before(tmp_path: Path) -> None:
    path, tombstones = tmp_path / "FORGOTTEN", Tombstones(tmp_path)
    assert not tombstones.look()
    path.write_bytes(file(f"10.000000 {ADA}"))
    first = tombstones.look()
    assert tombstones.look() is first and len(first) == 1
    with path.open("ab") as grown:
        grown.write(f"11.000000 {BOB}\n".encode())
    assert len(tombstones.look()) == 2
    path.write_bytes(file(f"10.000000 {ADA}", "damage", f"11.000000 {BOB}"))
    for fresh in (tombstones, Tombstones(tmp_path)):
        with pytest.raises(ArtifactError, match="line 3"):
            fresh.look()
        assert len(fresh.latest()) == 2
    path.unlink()
    with pytest.raises(ArtifactError, match="is gone"):
        tombstones.look()
    assert len(tombstones.latest()) == 2
