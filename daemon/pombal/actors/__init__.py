"""Erlang's words on trio: supervisors, mailboxes, restart intensity. Knows no WhatsApp."""
