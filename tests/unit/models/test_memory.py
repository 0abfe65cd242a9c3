import os

import pytest

from recsys.models.memory import available_bytes

TOTAL = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def system(monkeypatch, tmp_path):
    """Files as Linux has them: what the machine has available, and the limits of the control group."""
    monkeypatch.setattr("recsys.models.memory._MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr("recsys.models.memory._GROUP", tmp_path)

    def write(**files):
        for name, text in files.items():
            (tmp_path / name.replace("memory_", "memory.")).write_text(text)

    return write


def test_this_machine_has_some_and_no_more_than_it_has():
    assert 0 < available_bytes() <= TOTAL


def test_without_files_it_is_all_of_the_machine(system):
    assert available_bytes() == TOTAL


def test_what_the_machine_has_available(system):
    system(meminfo="MemTotal:  2000 kB\nMemFree:  10 kB\nMemAvailable:   700 kB\n", memory_max="max\n")
    assert available_bytes() == 700 * 1024


def test_a_container_has_what_its_limit_leaves_cached_files_being_free(system):
    system(meminfo="MemAvailable:   700 kB\n", memory_max="5000\n", memory_current="3000\n")
    system(memory_stat="anon 100\ninactive_file 400\n")
    assert available_bytes() == 2400
