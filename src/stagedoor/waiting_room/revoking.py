"""Taking a place away: an operator's word against a buyer's token."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from stagedoor.kernel.errors import Rejection
from stagedoor.kernel.ids import BuyerId, PlaceRef
from stagedoor.waiting_room.model import EndCause
from stagedoor.waiting_room.ports import EndPlace, PlaceEnded


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokePlace:
    """Takes a place from its buyer, and what she holds under it."""

    end: Callable[[EndPlace], Awaitable[PlaceEnded | Rejection]]
    close_place: Callable[[BuyerId, PlaceRef], Awaitable[None]]

    async def revoke(self, *, ref: PlaceRef, actor: str) -> PlaceEnded:
        """
        End the place, then let go of what is held under it; a place that is over stays as it ended.

        Raises `UnknownPlace`. A crash in between leaves seats held until their
        deadline; revoking again finishes it.
        """
        outcome = await self.end(EndPlace(ref=ref, cause=EndCause.REVOKED, by=actor))
        if isinstance(outcome, Rejection):
            raise outcome
        await self.close_place(outcome.place.buyer_id, ref)
        return outcome
