"""The limits of the settings, as the edge takes them."""

from stagedoor.http.buckets import Rate
from stagedoor.http.limits import CallLimit, LimitPolicy
from stagedoor.settings import Allowance, Identity, Settings


def limit_policy(settings: Settings) -> LimitPolicy:
    """Return how much a buyer and an address may ask for; on a demo, this very machine may ask for anything."""
    return LimitPolicy(
        join=_limit(settings.limit_joins_of_buyer, settings.limit_joins_of_address),
        early_poll=_limit(settings.limit_early_polls_of_buyer, settings.limit_early_polls_of_address),
        reserve=_limit(settings.limit_reserves_of_buyer, settings.limit_reserves_of_address),
        charge=_limit(settings.limit_charges_of_buyer, settings.limit_charges_of_address),
        loopback_exempt=settings.identity is Identity.DEMO,
    )


def _limit(buyer: Allowance, address: Allowance) -> CallLimit:
    return CallLimit(buyer=_rate(buyer), address=_rate(address))


def _rate(allowance: Allowance) -> Rate:
    return Rate(per_second=allowance.per_second, burst=allowance.burst)
