"""One call over the network, and many of them at once. Needs asyncio."""
