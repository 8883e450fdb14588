"""Care of a state directory as a whole, without the daemon or beside it: backed up and restored, files and all."""
