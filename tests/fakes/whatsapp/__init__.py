"""A WhatsApp network on loopback, for tests with the real client: see ``__main__.py`` and CONTRIBUTING.md.

What it does is our reading of the protocol, taken from whatsmeow's side of it; a real account is the last word.

    tls, proxy, noise, connection, server   how a client gets here
    people, companion, endpoint             who is here: phones, their linked devices, their keys
    login, pairing, queries, lookups        what the server answers
    outbound, phones · inbound, history     what devices send, how phones answer · what is written to them
    media, payloads                         files, and what messages say
    book, commands, control                 what passed, and how tests drive it
    launcher                                the client with the fake's root key
"""
