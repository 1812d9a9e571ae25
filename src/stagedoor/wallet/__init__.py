"""Double-entry money: every transfer debits one account and credits another."""
