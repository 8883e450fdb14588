"""Links: the ways in which a session reaches WhatsApp, all with the face that base.py gives them."""
