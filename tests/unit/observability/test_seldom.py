from stagedoor.observability.seldom import Seldom


def test_the_first_of_a_kind_is_said_and_what_follows_within_a_second_is_counted() -> None:
    seldom = Seldom()

    said = [seldom.say("DatabaseFault", now) for now in (10.0, 10.1, 10.999, 11.0, 11.5, 20.0, 30.0)]

    assert said == [0, None, None, 2, None, 1, 0]


def test_each_kind_is_by_itself() -> None:
    seldom = Seldom()
    seldom.say("DatabaseFault", 10.0)

    assert seldom.say("DeadlineMissed", 10.1) == 0
