from tests.contract.test_waiting_line_standing_still import *  # noqa: F403 -- the same suite, over the line of this folder
