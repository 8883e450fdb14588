"""What Pombal talks about: sessions, messages, events, changes and errors. Pure: no trio, no input or output."""
