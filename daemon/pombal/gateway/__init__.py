"""The gateway: the process that speaks WhatsApp Web for the daemon, over the wire protocol of docs/link-protocol.md."""
