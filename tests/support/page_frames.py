"""What a page of a test has received."""


def text_of(page):
    return "".join(frame["delta"] for frame in page.frames if frame["type"] == "text-delta")


def last_type(page):
    return page.frames[-1]["type"]
