from tests.contract.test_sale_against_the_till import *  # noqa: F403 -- the same suite, over the stores of this folder
