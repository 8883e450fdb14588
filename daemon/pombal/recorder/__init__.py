"""The recorder: takes everything that waits, has it committed as one transaction, and tells of it afterwards."""
