"""The keys of an answer in Redis, and the scripts that change them, each of which is atomic.

An answer has a stream with an entry for each frame; the id of an entry is ``n-0`` for the frame
with the number n. The field of an entry is ``frame``; in the last entry it is ``last`` if the
process that generates the answer ended it, ``closed`` if another one did. Nothing is added after
either. The key of a chat names its current answer. The key ``lease`` exists while the process that
generates the answer is alive, ``stop`` once somebody has stopped the answer, and ``followed`` while
pages of other processes follow it.

The lease also expires while Redis is away, even if the process is alive. So ``doubt`` is set when
the lease is first found to be gone, and removed when it is renewed; a process that finds it set for
long enough closes the answer.
"""

from __future__ import annotations

from urllib.parse import quote

import attrs

__all__ = [
    "APPEND",
    "BEGIN",
    "CHECK",
    "EPOCH_SIZE",
    "STOP",
    "AnswerKeys",
    "AppendStatus",
    "chat_key",
]

EPOCH_SIZE = 10_000_000
"""How many numbers the frames of an answer have for themselves: more than any answer has frames."""


def chat_key(prefix: str, chat_id: str) -> str:
    """Return the key that names the current answer of a chat."""
    # The braces keep all keys of a chat on one node of a cluster.
    return f"{prefix}:{{{quote(chat_id, safe='', errors='surrogatepass')}}}"


@attrs.frozen
class AnswerKeys:
    """The keys and channels of one answer.

    Its id begins with its epoch: how many answers of the chat were before it. No two of them have
    frames of the same number, so the number of a page is never one of another answer.
    """

    chat: str
    answer_id: str

    @property
    def epoch(self) -> int:
        """How many answers of the chat were before, as far as Redis knew."""
        epoch = self.answer_id.partition("-")[0]
        return int(epoch) if epoch.isdecimal() else 0

    @property
    def start(self) -> int:
        """The number before that of the first frame."""
        return self.epoch * EPOCH_SIZE

    @property
    def stream(self) -> str:
        """The stream of its frames; new ones are published on the channel of this name."""
        return f"{self.chat}:{self.answer_id}"

    @property
    def lease(self) -> str:
        """The key that exists while the process that generates the answer is alive."""
        return f"{self.stream}:lease"

    @property
    def stop(self) -> str:
        """The key that exists once the answer is to be stopped, and the channel for that news."""
        return f"{self.stream}:stop"

    @property
    def followed(self) -> str:
        """The key that exists while pages of other processes follow."""
        return f"{self.stream}:followed"

    @property
    def doubt(self) -> str:
        """The key that exists since the lease was found to be gone."""
        return f"{self.stream}:doubt"


class AppendStatus:
    """The first value that the script `APPEND` returns."""

    STORED = 0
    CLOSED = 1  # another process considered this one dead
    REPLACED = 2  # another answer of the chat has begun
    LOST = 3  # Redis has lost the answer, or a part of it


_FUNCTIONS = """
local function read_top(stream, start)
  local entry = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
  if not entry then return tonumber(start), 'frame' end
  return tonumber(string.match(entry[1], '^%d+')), entry[2][1]
end

-- Add the arguments from `first` on, as the frames behind number `top`, and publish them.
local function add(stream, top, first, last_field, ttl)
  local after = top
  for index = first, #ARGV do
    top = top + 1
    local field = index == #ARGV and last_field or 'frame'
    redis.call('XADD', stream, string.format('%d-0', top), field, ARGV[index])
  end
  redis.call('PEXPIRE', stream, ttl)
  redis.call('PUBLISH', stream, string.format('{"after":%d,"is_end":%s,"frames":[', after,
    last_field == 'frame' and 'false' or 'true') .. table.concat(ARGV, ',', first) .. ']}')
  return top
end
"""

# Make an answer the current one of its chat, and close the previous one.
# Keys: of the chat, the streams of the earlier and the new answer, the new lease, the earlier stop.
# Arguments: the ids of the earlier and the new answer, lease and ttl in milliseconds, the number
# before the first frame of the earlier answer, the frames that close it. Returns 1, or 0 if the
# earlier answer is another one.
BEGIN = f"""{_FUNCTIONS}
local current = redis.call('GET', KEYS[1]) or ''
if current == ARGV[2] then return 1 end
if current ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[4])
redis.call('SET', KEYS[4], '1', 'PX', ARGV[3])
if current ~= '' then
  local top, field = read_top(KEYS[2], ARGV[5])
  if field == 'frame' then add(KEYS[2], top, 6, 'closed', ARGV[4]) end
  redis.call('PUBLISH', KEYS[5], 'replaced')
end
return 1
"""

# Append frames and renew the lease; without frames, only renew it.
# Keys: of the chat, the stream, the lease, stop, doubt. Arguments: the id of the answer, lease and
# ttl in milliseconds, the numbers before the first frame of the answer and of the first of these,
# the field of the last entry, the frames. Returns the status, and whether stop exists.
APPEND = f"""{_FUNCTIONS}
local current = redis.call('GET', KEYS[1])
if not current then return {{3, 0}} end
if current ~= ARGV[1] then return {{2, 0}} end
local top, field = read_top(KEYS[2], ARGV[4])
if field == 'closed' then return {{1, 0}} end
local known = top - ARGV[5]  -- frames of an attempt whose reply was lost
if known < 0 then return {{3, 0}} end
if field == 'frame' then
  if 7 + known <= #ARGV then add(KEYS[2], top, 7 + known, ARGV[6], ARGV[3]) end
  redis.call('SET', KEYS[3], '1', 'PX', ARGV[2])
  redis.call('DEL', KEYS[5])
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
if field == 'last' or ARGV[6] == 'last' then redis.call('DEL', KEYS[3]) end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {{0, redis.call('EXISTS', KEYS[4])}}
"""

# Check an answer for the pages that follow it, and close it if its process is dead.
# Keys: the stream, the lease, followed, doubt. Arguments: the time for which it counts as followed,
# the ttl and the time of doubt in milliseconds, the number before the first frame, the frames that
# close it. Returns the number of the last frame, whether the answer has ended, and the rest of the
# lease or of the doubt.
CHECK = f"""{_FUNCTIONS}
redis.call('SET', KEYS[3], '1', 'PX', ARGV[1])
local top, field = read_top(KEYS[1], ARGV[4])
local rest = redis.call('PTTL', KEYS[2])
if field == 'frame' and rest < 0 then
  -- The key lives twice as long: after that, Redis may have been away once more.
  rest = redis.call('PTTL', KEYS[4]) - ARGV[3]
  if rest < -ARGV[3] then
    redis.call('SET', KEYS[4], '1', 'PX', 2 * ARGV[3])
    rest = tonumber(ARGV[3])
  elseif rest <= 0 then
    top = add(KEYS[1], top, 5, 'closed', ARGV[2])
    field = 'closed'
  end
end
return {{top, field == 'frame' and 0 or 1, rest}}
"""

# Have the process that generates an answer stop it.
# Keys: the stream, stop, the lease. Argument: the ttl in milliseconds. Returns whether the answer
# had not ended. Without the lease it may be live: see `doubt`.
STOP = f"""{_FUNCTIONS}
local _, field = read_top(KEYS[1], 0)
if field ~= 'frame' or redis.call('EXISTS', KEYS[1], KEYS[3]) == 0 then return 0 end
redis.call('SET', KEYS[2], '1', 'PX', ARGV[1])
redis.call('PUBLISH', KEYS[2], 'stop')
return 1
"""
