#include <csignal>
#include <iostream>
#include <set>
#include <sstream>
#include <websocketpp/client.hpp>
#include <websocketpp/config/asio_no_tls.hpp>
#include <websocketpp/config/asio_no_tls_client.hpp>
#include <websocketpp/server.hpp>

typedef websocketpp::client<websocketpp::config::asio_client> Client;
typedef websocketpp::server<websocketpp::config::asio> Server;
using websocketpp::connection_hdl;

template <typename Endpoint>
void echo(Endpoint &endpoint) {
    endpoint.clear_access_channels(websocketpp::log::alevel::all);
    endpoint.set_message_handler([&](connection_hdl hdl, typename Endpoint::message_ptr message) {
        const std::string &text = message->get_payload();
        websocketpp::lib::error_code error;
        if (text.rfind("close ", 0) == 0) {
            size_t space = text.find(' ', 6);
            endpoint.close(hdl, std::stoi(text.substr(6)), space == std::string::npos ? "" : text.substr(space + 1), error);
        } else {
            endpoint.send(hdl, text, message->get_opcode(), error);
        }
        if (error) std::cerr << error.message() << std::endl;
    });
}

int main(int, char **argv) {
    if (std::string(argv[1]) == "client") {
        Client client;
        echo(client);
        client.init_asio();
        client.set_close_handler([&](connection_hdl hdl) {
            Client::connection_ptr connection = client.get_con_from_hdl(hdl);
            std::cout << "closed " << connection->get_remote_close_code() << " " << connection->get_remote_close_reason() << std::endl;
        });
        client.set_fail_handler([&](connection_hdl hdl) {
            std::cout << "refused " << client.get_con_from_hdl(hdl)->get_response_code() << std::endl;
        });
        websocketpp::lib::error_code error;
        client.connect(client.get_connection(argv[2], error));
        client.run();
        return 0;
    }
    Server server;
    echo(server);
    std::set<connection_hdl, std::owner_less<connection_hdl>> all;
    server.init_asio();
    server.set_reuse_addr(true);
    server.set_validate_handler([&](connection_hdl hdl) {
        Server::connection_ptr connection = server.get_con_from_hdl(hdl);
        if (connection->get_resource() != "/refuse") return true;
        connection->set_status(websocketpp::http::status_code::forbidden);
        connection->set_body("not today\n");
        return false;
    });
    server.set_open_handler([&](connection_hdl hdl) { all.insert(hdl); });
    server.set_close_handler([&](connection_hdl hdl) { all.erase(hdl); });
    boost::asio::signal_set signals(server.get_io_service(), SIGTERM);
    signals.async_wait([&](const boost::system::error_code &, int) {
        server.stop_listening();
        for (const connection_hdl &hdl : all) server.close(hdl, websocketpp::close::status::going_away, "");
    });
    server.listen(boost::asio::ip::tcp::endpoint(boost::asio::ip::address_v4::loopback(), std::stoi(argv[2])));
    server.start_accept();
    server.run();
}
