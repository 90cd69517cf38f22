require "em-websocket"

options = { host: "127.0.0.1", port: ARGV[0].to_i }
if ENV["FLEET_TLS"] != ""
  options[:secure] = true
  options[:tls_options] = { cert_chain_file: ENV["FLEET_CERT"], private_key_file: ENV["FLEET_KEY"] }
end
all = {}
stopping = false
trap("TERM") { stopping = true }
EM.run do
  EM::WebSocket.run(options) do |ws|
    ws.onopen { all[ws] = true }
    ws.onclose { all.delete(ws) }
    ws.onerror { |error| warn error }
    ws.onbinary { |data| ws.send_binary(data) }
    ws.onmessage do |text|
      if text.start_with?("close ")
        _, code, reason = text.split(" ", 3)
        code == "1005" ? ws.close : ws.close(code.to_i, reason)
      else
        ws.send_text(text)
      end
    end
  end
  EM.add_periodic_timer(0.05) do
    next unless stopping
    stopping = false
    all.each_key { |ws| ws.close(1001) rescue warn($!) }
    EM.add_timer(0.5) { EM.stop }
  end
end
