from tests.contract.test_seating_plan import *  # noqa: F403 -- the same suite, over the stores of this folder
