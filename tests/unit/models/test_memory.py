import os

import pytest

from recsys.models.memory import available_bytes

TOTAL = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def available(tmp_path):
    """What is available by files as Linux has them: of the machine, and of the control group."""

    def read(**files):
        for name, text in files.items():
            (tmp_path / name.replace("memory_", "memory.")).write_text(text)
        return available_bytes(meminfo=tmp_path / "meminfo", control_group=tmp_path)

    return read


def test_this_machine_has_some_and_no_more_than_it_has():
    assert 0 < available_bytes() <= TOTAL


def test_without_files_it_is_all_of_the_machine(available):
    assert available() == TOTAL


def test_what_the_machine_has_available(available):
    meminfo = "MemTotal:  2000 kB\nMemFree:  10 kB\nMemAvailable:   700 kB\n"
    assert available(meminfo=meminfo, memory_max="max\n") == 700 * 1024


def test_a_container_has_what_its_limit_leaves_cached_files_being_free(available):
    available(meminfo="MemAvailable:   700 kB\n", memory_max="5000\n", memory_current="3000\n")
    assert available(memory_stat="anon 100\ninactive_file 400\n") == 2400
