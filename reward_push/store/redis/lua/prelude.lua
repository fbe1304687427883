-- What every script begins with. ARGV[1] is the prefix of all keys and channels.
local P, call = ARGV[1], redis.call

-- Redis' time in microseconds; within a script it stands still.
local clock
local function micros()
    if not clock then
        local time = call('TIME')
        clock = time[1] * 1000000 + time[2]
    end
    return clock
end

-- Numbers go through redis.call as they are, but ".." would round them.
local function text(number)
    return string.format('%.0f', number)
end

-- The one line of numbers. It goes by the clock, so that it never comes back to a number, not even in a Redis
-- that came back empty, or that took over before it had heard of the last ones. keep_numbers() ends a script
-- that has taken any.
local last
local function take_numbers(count)
    if not last then
        last = math.max(tonumber(call('GET', P .. 'no') or 0), micros() - 1)
    end
    last = last + count
    return last - count + 1
end
local function keep_numbers()
    if last then
        call('SET', P .. 'no', last)
    end
end

-- Keys expire long after maintenance should have removed what is in them.
local SLACK_MS = 86400000

-- Keep `key`, which others may share, for at least `keep_ms`; nil: for ever.
local function outlive(key, keep_ms)
    if not keep_ms then
        call('PERSIST', key)
    elseif call('PTTL', key) < keep_ms then
        call('PEXPIRE', key, keep_ms + SLACK_MS)
    end
end
