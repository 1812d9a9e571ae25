from tests.contract.test_sales_book import *  # noqa: F403 -- the same suite, over the stores of this folder
