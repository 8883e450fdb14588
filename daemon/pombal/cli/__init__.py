"""The command line. It talks to the control socket only; `serve`, `config` and `db` alone touch files."""
