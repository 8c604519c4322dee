"""Each event that our renames make is overlooked once, and no other."""

from syncd.drivers.local_storage.expected import Expected

FROM, TO = (1, b"a", 0x40), (1, b"a", 0x80)


def test_each_is_taken_once():
    expected = Expected()
    assert not expected
    expected.add([FROM, TO])
    expected.add([FROM])

    assert expected
    assert [expected.take(FROM) for _ in range(3)] == [True, True, False]
    assert [expected.take(TO), expected.take(TO)] == [True, False]
    assert not expected.take((2, b"a", 0x40))
    assert not expected


def test_what_does_not_come_is_expected_no_longer():
    expected = Expected()
    expected.add([FROM, TO, TO])
    assert expected.take(TO)
    expected.cancel([FROM, TO, TO])

    assert not expected.take(FROM)
    assert not expected.take(TO)


def test_nothing_is_expected_of_what_was_lost():
    expected = Expected()
    expected.add([FROM, FROM])
    expected.clear()

    assert not expected
    assert not expected.take(FROM)
