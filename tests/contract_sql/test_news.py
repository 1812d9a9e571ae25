from tests.contract.test_news import *  # noqa: F403 -- the same suite, over the stores of this folder
