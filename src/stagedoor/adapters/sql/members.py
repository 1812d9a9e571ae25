"""Who is a member, read."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.sized import SizedQuery, listed
from stagedoor.adapters.sql.tables import member
from stagedoor.kernel.ids import BuyerId
from stagedoor.waiting_room.ports import Members

_KNOWN = SizedQuery(select(member.c.id).where(member.c.id.in_(listed("ids"))), "ids")


class SqlMembers(Members):
    """The members in a SQL database."""

    def __init__(self, lanes: Lanes) -> None:
        """Read through *lanes*."""
        self._lanes = lanes

    async def known(self, buyer_ids: Sequence[BuyerId]) -> Sequence[bool]:
        """Say for each buyer whether she is a member."""

        def read(connection: Connection) -> set[int]:
            return {buyer_id for (buyer_id,) in _KNOWN(connection, ids=list(buyer_ids))}

        known = await self._lanes.reading(read) if buyer_ids else set()
        return [buyer_id in known for buyer_id in buyer_ids]
