"""Tables of short scripts, for tests/test_check_rules.py."""
