"""What pages show, worked out of what the daemon answers: plain functions, without a browser or a server."""
