from tests.contract.test_wallets import *  # noqa: F403 -- the same suite, over the stores of this folder
