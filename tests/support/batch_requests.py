"""What an emulator was asked about batches, and how many it has made."""


def count_created(emulator):
    return len(emulator._service.batches._batches)


def get_paths(emulator):
    return [
        f"{request.method} {request.path.removeprefix('/v1/batches')}"
        for request in emulator.requests
    ]
