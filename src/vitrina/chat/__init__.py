"""chat: messages to people, through Telegram and everything that Apprise reaches; nothing that waits is lost.

May import errors, settings, product, storage and work; knows no part.
"""
