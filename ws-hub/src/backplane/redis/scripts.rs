//! The scripts that run at the broker, and what they answer.
//!
//! All that is known of a topic is in one key, a stream, so that nothing can be lost by halves. Each entry has, in this order,
//! `e` (the epoch), `p` (the ID of the entry before it, `0-0` for the first), `h` and `b` (head and body, see `wire`). The last
//! entry is never removed before the key: it tells the epoch and the last ID. An entry with the ID `0-1` is none: it stands in a
//! stream that has no publication yet, and keeps its epoch.
//!
//! Where the last ID comes from before the clock, the sequence number goes on from it. A new millisecond begins with a random
//! sequence number: after a failover to a replica that lacks the last entries, a new entry must not have the ID of a lost one.

use ::redis::Script;

/// KEYS: the stream, and, with an idempotency key, the key that remembers it.
///
/// ARGV: channel, size, age in ms, lifetime of the key in ms, the epoch of a new stream, the first sequence number of a
/// millisecond, head, body, and `after`: its epoch (empty for none) and ID.
const PUBLISH: &str = r"#!lua
local stream, size, age = KEYS[1], ARGV[2], tonumber(ARGV[3])
local epoch, previous = ARGV[5], '0-0'
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local ms, sequence = now, tonumber(ARGV[6])
local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
if last then
    if last[2][1] ~= 'e' then return redis.error_reply('ERR the stream has entries of others') end
    epoch = last[2][2]
    if last[1] ~= '0-1' then previous = last[1] end
end
if KEYS[2] then
    local id = redis.call('GET', KEYS[2])
    local first = id and redis.call('XRANGE', stream, id, id)[1]
    if first then return {'again', first[2][2], id} end
end
if ARGV[9] ~= '' and (ARGV[9] ~= epoch or ARGV[10] ~= previous) then return {'conflict'} end
if last then
    local last_ms, last_sequence = string.match(last[1], '(%d+)-(%d+)')
    last_ms, last_sequence = tonumber(last_ms), tonumber(last_sequence)
    if last_ms >= ms then
        ms, sequence = last_ms, last_sequence + 1
        if sequence >= 4194304 then ms, sequence = ms + 1, 0 end
    end
else
    redis.call('DEL', stream)
end
local id = string.format('%.0f-%.0f', ms, sequence)
redis.call('XADD', stream, 'MAXLEN', '=', size, id, 'e', epoch, 'p', previous, 'h', ARGV[7], 'b', ARGV[8])
if last and last[1] == '0-1' then redis.call('XDEL', stream, '0-1') end
if now > age then redis.call('XTRIM', stream, 'MINID', '=', string.format('%.0f', now - age)) end
redis.call('PEXPIRE', stream, ARGV[4])
if KEYS[2] then redis.call('SET', KEYS[2], id, 'PX', math.max(age, 1)) end
local line = 'w1 ' .. ARGV[7] .. ' ' .. epoch .. ' ' .. id .. ' ' .. previous .. '\n'
local sent = redis.pcall('PUBLISH', ARGV[1], line .. ARGV[8])
if type(sent) == 'table' and sent.err then
    redis.call('XDEL', stream, id)
    return sent
end
return {'new', epoch, id}
";

/// KEYS: the stream. ARGV: the epoch of a new stream, lifetime of the key in ms, limit, age in ms, most bytes, the newest ID (`+`
/// for the last one), and the lifetime of a stream without publications in ms.
///
/// Answers the epoch, the last ID, whether there can be more before these, and the last entries, the newest first. It makes a
/// stream, if there is none, so that there is an epoch. That takes little memory, not for long, and is allowed when there is none
/// left.
const LATEST: &str = r"#!lua flags=allow-oom
local stream, limit, age, most = KEYS[1], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
if not last then
    redis.call('DEL', stream)
    redis.call('XADD', stream, '0-1', 'e', ARGV[1], 'p', '0-0', 'h', 'b -', 'b', '')
    redis.call('PEXPIRE', stream, ARGV[7])
    return {ARGV[1], '0-0', 0}
end
if last[2][1] ~= 'e' then return redis.error_reply('ERR the stream has entries of others') end
redis.call('PEXPIRE', stream, last[1] == '0-1' and ARGV[7] or ARGV[2])
if last[1] == '0-1' then return {last[2][2], '0-0', 0} end
local time = redis.call('TIME')
local oldest = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) - age
local answer, bytes, before = {last[2][2], last[1], 0}, 0, ARGV[6]
while limit > 0 do
    if bytes >= most then
        answer[3] = 1
        break
    end
    local entries = redis.call('XREVRANGE', stream, before, '-', 'COUNT', math.min(limit, 16))
    for _, entry in ipairs(entries) do
        if tonumber(string.match(entry[1], '%d+')) < oldest then return answer end
        if bytes >= most then
            answer[3] = 1
            return answer
        end
        limit, bytes, before = limit - 1, bytes + #entry[2][8], '(' .. entry[1]
        answer[#answer + 1] = {entry[1], entry[2][4], entry[2][6], entry[2][8]}
    end
    if #entries < 16 then break end
end
return answer
";

/// KEYS: the stream. ARGV: epoch, ID of the last entry that was seen, limit, age in ms, most bytes.
///
/// Answers whether it could be read, the epoch and the last ID; and then whether that is all, and the entries. The first of them
/// must name the one that was seen as the one before it.
const HISTORY: &str = r"#!lua flags=no-writes
local stream, seen, limit, age, most = KEYS[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
if not last then return {'none'} end
if last[2][1] ~= 'e' then return redis.error_reply('ERR the stream has entries of others') end
local top = last[1] == '0-1' and '0-0' or last[1]
local function answer(word) return {word, last[2][2], top} end
if last[2][2] ~= ARGV[1] then return answer('epoch') end
local function numbers(id)
    local ms, sequence = string.match(id, '(%d+)-(%d+)')
    return tonumber(ms), tonumber(sequence)
end
local ms, sequence = numbers(seen)
local top_ms, top_sequence = numbers(top)
if ms > top_ms or (ms == top_ms and sequence > top_sequence) then return answer('unknown') end
local page = {'page', last[2][2], top, 1}
if seen == top then return page end
local time = redis.call('TIME')
local oldest = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) - age
local bytes, previous = 0, seen
while limit > 0 and bytes < most do
    local entries = redis.call('XRANGE', stream, '(' .. previous, '+', 'COUNT', math.min(limit, 16))
    for _, entry in ipairs(entries) do
        if previous == seen and (entry[2][4] ~= seen or numbers(entry[1]) < oldest) then return answer('expired') end
        if bytes >= most then
            page[4] = 0
            return page
        end
        limit, bytes, previous = limit - 1, bytes + #entry[2][8], entry[1]
        page[#page + 1] = {entry[1], entry[2][4], entry[2][6], entry[2][8]}
    end
    if #entries < 16 then break end
end
if previous ~= top then page[4] = 0 end
return page
";

pub(super) struct Scripts {
    pub(super) publish: Script,
    pub(super) latest: Script,
    pub(super) history: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self { publish: Script::new(PUBLISH), latest: Script::new(LATEST), history: Script::new(HISTORY) }
    }
}
