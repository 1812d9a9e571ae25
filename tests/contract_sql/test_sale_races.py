from tests.contract.test_sale_races import *  # noqa: F403 -- the same suite, over the stores of this folder
