from tests.contract.test_waiting_line import *  # noqa: F403 -- the same suite, over the line of this folder
