from tests.contract.test_outbox import *  # noqa: F403 -- the same suite, over the stores of this folder
