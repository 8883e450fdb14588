"""What keeps the daemon watchable: metrics, logging, systemd's notification and watchdog, signals."""
