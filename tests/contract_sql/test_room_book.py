from tests.contract.test_room_book import *  # noqa: F403 -- the same suite, over the stores of this folder
