"""Who is served first when not everybody can be: what was begun before what begins, money before all."""

from enum import IntEnum, unique


@unique
class Priority(IntEnum):
    """
    What kind of call one is, the least important first.

    Whoever pays has a seat that nobody else can have meanwhile; whoever
    releases or leaves gives one back. A join or a poll that is put off costs a
    moment. `HEALTH` is never put off: who cannot ask how we are takes us for dead.
    """

    JOIN = 0
    POLL = 1
    WALLET = 2
    READ = 3
    OPERATOR = 4
    RESERVE = 5
    RELEASE = 6
    PAY = 7
    HEALTH = 8
