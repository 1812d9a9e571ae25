from tests.contract.test_sale_switches import *  # noqa: F403 -- the same suite, over the stores of this folder
