from tests.contract.test_buyer_records import *  # noqa: F403 -- the same suite, over the stores of this folder
