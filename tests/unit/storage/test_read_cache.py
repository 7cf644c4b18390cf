"""What is kept between reads, step by step; any order of steps is in tests/property/test_read_cache.py."""

from stepwell.storage.catalog.read_cache import ReadCache


def cache(most: int = 100) -> "ReadCache[int, str]":
    return ReadCache(len, most=most)


def kept(found: "ReadCache[int, str]", keys: range = range(9)) -> dict[int, str]:
    with found.reading() as reading:
        return reading.take(keys)


def keep(to: "ReadCache[int, str]", values: dict[int, str]) -> None:
    with to.reading() as reading:
        reading.keep(values)


def test_an_old_snapshot_does_not_get_what_is_newer():
    found = cache()
    with found.reading() as old:
        found.changes(1)
        found.settled()
        keep(found, {1: "new", 2: "other"})
        assert old.take([1, 2]) == {2: "other"}
        old.keep({1: "old"})
    assert kept(found) == {1: "new", 2: "other"}


def test_nobody_gets_or_keeps_what_changes_until_that_is_settled():
    found = cache()
    keep(found, {1: "a", 2: "b"})
    found.changes(1)
    keep(found, {1: "a"})
    assert kept(found) == {2: "b"}
    found.all_change()
    keep(found, {1: "a", 2: "b"})
    assert kept(found) == {}
    found.settled()
    keep(found, {1: "a"})
    assert kept(found) == {1: "a"}


def test_those_used_last_stay():
    found = cache(most=6)
    keep(found, {1: "aa", 2: "bb", 3: "cc"})
    assert kept(found, range(1, 2)) == {1: "aa"}
    keep(found, {4: "dd"})
    assert kept(found) == {1: "aa", 3: "cc", 4: "dd"}
    keep(found, {5: "too long"})
    assert kept(found) == {1: "aa", 3: "cc", 4: "dd"}
    keep(found, {6: "ffffff"})
    assert kept(found) == {6: "ffffff"}


def test_a_read_that_wants_nothing_and_a_cache_for_nothing_keep_nothing():
    for found, wanted in ((cache(), False), (cache(most=0), True)):
        with found.reading(wanted=wanted) as reading:
            reading.keep({1: "a"})
            assert reading.take([1]) == {}
        found.changes(1)
        found.all_change()
        assert kept(found) == {}
