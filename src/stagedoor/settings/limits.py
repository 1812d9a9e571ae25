# ruff: noqa: RUF009 -- `setting` is a field specifier: it returns a dataclass field, which nobody shares
"""The settings of how often one client may ask: a part of the table in `model`."""

from dataclasses import dataclass

from stagedoor.settings import kinds
from stagedoor.settings.setting import setting

LIMITS = "Limits (a client that is too eager is answered 429)"

ONE_BUYER = kinds.Allowance(burst=60, per_second=2)
# A crowd of 2,000 behind one address passes.
ONE_ADDRESS = kinds.Allowance(burst=10_000, per_second=1_000)
ONE_ADDRESS_POLLING = kinds.Allowance(burst=20_000, per_second=2_000)


@dataclass(frozen=True, kw_only=True)
class LimitSettings:
    """How often one buyer, and all behind one address, may make each limited call."""

    limit_joins_of_buyer: kinds.Allowance = setting(
        kinds.allowance(),
        default=ONE_BUYER,
        meaning="How often one buyer may ask for a place.",
        group=LIMITS,
    )
    limit_joins_of_address: kinds.Allowance = setting(
        kinds.allowance(),
        default=ONE_ADDRESS,
        meaning="How often all buyers behind one address may ask for a place.",
        group=LIMITS,
    )
    limit_early_polls_of_buyer: kinds.Allowance = setting(
        kinds.allowance(),
        default=ONE_BUYER,
        meaning="How often one buyer may ask how her place stands, earlier than she was told to.",
        group=LIMITS,
    )
    limit_early_polls_of_address: kinds.Allowance = setting(
        kinds.allowance(),
        default=ONE_ADDRESS_POLLING,
        meaning="How often all buyers behind one address may do so.",
        group=LIMITS,
    )
    limit_reserves_of_buyer: kinds.Allowance = setting(
        kinds.allowance(),
        default=ONE_BUYER,
        meaning="How often one buyer may try to reserve.",
        group=LIMITS,
    )
    limit_reserves_of_address: kinds.Allowance = setting(
        kinds.allowance(),
        default=ONE_ADDRESS,
        meaning="How often all buyers behind one address may try to reserve.",
        group=LIMITS,
    )
    limit_charges_of_buyer: kinds.Allowance = setting(
        kinds.allowance(),
        default=ONE_BUYER,
        meaning="How often one buyer may charge her wallet.",
        group=LIMITS,
    )
    limit_charges_of_address: kinds.Allowance = setting(
        kinds.allowance(),
        default=ONE_ADDRESS,
        meaning="How often all buyers behind one address may charge their wallets.",
        group=LIMITS,
    )
