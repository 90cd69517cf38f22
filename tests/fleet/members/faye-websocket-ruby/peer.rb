require "eventmachine"
require "faye/websocket"

$stdout.sync = true
role, where = ARGV

def echo(ws)
  ws.on(:message) do |event|
    data = event.data
    if data.is_a?(String) && data.start_with?("close ")
      _, code, reason = data.split(" ", 3)
      code == "1005" ? ws.close : ws.close(code.to_i, reason || "")
    else
      ws.send(data)
    end
  end
end

if role == "client"
  EM.run do
    ws = Faye::WebSocket::Client.new(where, [], tls: { root_cert_file: ENV["FLEET_CA"] })
    opened = false
    echo(ws)
    ws.on(:open) { opened = true }
    ws.on(:close) do |event|
      puts opened ? "closed #{event.code} #{event.reason}" : "refused #{ws.status}"
      EM.stop
    end
  end
else
  require "rack"
  require "thin"
  Faye::WebSocket.load_adapter("thin")
  Thin::Logging.silent = true
  all = {}
  app = lambda do |env|
    next [403, { "Content-Type" => "text/plain" }, ["not today\n"]] if env["PATH_INFO"] == "/refuse"
    ws = Faye::WebSocket.new(env)
    echo(ws)
    all[ws] = true
    ws.on(:close) { all.delete(ws) }
    ws.rack_response
  end
  server = Thin::Server.new("127.0.0.1", where.to_i, app, signals: false)
  if ENV["FLEET_TLS"] != ""
    server.ssl = true
    server.ssl_options = { cert_chain_file: ENV["FLEET_CERT"], private_key_file: ENV["FLEET_KEY"] }
  end
  EM.run do
    server.start
    stopping = false
    trap("TERM") { stopping = true }
    EM.add_periodic_timer(0.05) do
      next unless stopping
      stopping = false
      all.each_key { |ws| ws.close(1001, "going away") rescue warn($!) }
      EM.add_timer(0.5) { EM.stop }
    end
  end
end
