"""How many idempotency keys a buyer has stored: those of the sale's calls and those of the line's together."""

from typing import Any

from sqlalchemy import BindParameter, Select, bindparam, func, select, union_all

from stagedoor.adapters.sql.tables import idempotency_key, line_key


def key_counts(buyer_ids: BindParameter[Any]) -> Select[tuple[int, int]]:
    """Return the query for the buyers of the list *buyer_ids*: each who has any, and how many newer than `since`."""
    since: BindParameter[int] = bindparam("since")
    every = union_all(
        *(
            select(table.c.buyer_id).where(table.c.buyer_id.in_(buyer_ids), table.c.stored_at > since)
            for table in (idempotency_key, line_key)
        )
    ).subquery()
    return select(every.c.buyer_id, func.count()).group_by(every.c.buyer_id)
