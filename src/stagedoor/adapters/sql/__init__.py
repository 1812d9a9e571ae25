"""The sale, the rooms and the outbox on SQL, by SQLAlchemy Core: one adapter, several dialects."""
