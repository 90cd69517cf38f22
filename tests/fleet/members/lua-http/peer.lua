-- Debian has some of its modules for older versions of Lua only.
package.path = package.path .. ";/usr/share/lua/5.2/?.lua;/usr/share/lua/5.2/?/init.lua"
local role, where = arg[1], arg[2]
local websocket = require "http.websocket"

local function echo(ws)
    while true do
        local data, kind = ws:receive()
        if not data then return kind end
        local code, reason = data:match("^close (%d+) (.*)")
        if kind == "text" and code then
            if code == "1005" then ws:close(nil) else ws:close(tonumber(code), reason) end
        else
            ws:send(data, kind)
        end
    end
end

if role == "client" then
    local ws = websocket.new_from_uri(where)
    if where:match("^wss") then
        local context = require("http.tls").new_client_context()
        context:getStore():add(require("openssl.x509").new(io.open(os.getenv("FLEET_CA")):read("a")))
        ws.request.ctx = context
    end
    local ok, problem = ws:connect()
    if not ok then
        print("refused " .. tostring(problem))
        os.exit()
    end
    echo(ws)
    ws:close()
    print("closed " .. (ws.got_close_code or 1005) .. " " .. (ws.got_close_message or ""))
else
    local headers = require "http.headers"
    local server = require("http.server").listen {
        host = "127.0.0.1",
        port = tonumber(where),
        tls = false,
        onstream = function(_, stream)
            local request = stream:get_headers()
            if request:get(":path") == "/refuse" then
                local response = headers.new()
                response:append(":status", "403")
                stream:write_headers(response, false)
                stream:write_chunk("not today\n", true)
                return
            end
            local ws = websocket.new_from_stream(stream, request)
            if not ws then return end
            assert(ws:accept())
            echo(ws)
        end,
    }
    assert(server:listen())
    assert(server:loop())
end
