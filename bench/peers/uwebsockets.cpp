// uWebSockets, with the options of its examples/EchoServer.cpp and Broadcast.cpp. Told what to do like the programs in
// servers/host: TASK FORM MESSAGE_SIZE.

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

#include "App.h"

struct Nothing {};

static uWS::App *app;

// Publications come in through a TCP port of their own, in records of one message each.
static std::string publications;
static size_t message_size;

static us_socket_t *publish(us_socket_t *socket, char *data, int length) {
    publications.append(data, (size_t)length);
    size_t published = 0;
    for (; publications.size() - published >= message_size; published += message_size) {
        std::string_view message(publications.data() + published, message_size);
        app->publish("topic", message, uWS::OpCode::BINARY, false);
    }
    publications.erase(0, published);
    return socket;
}

static us_socket_t *opened(us_socket_t *socket, int, char *, int) { return socket; }
static us_socket_t *closed(us_socket_t *socket, int, void *) { return socket; }
static us_socket_t *ended(us_socket_t *socket) { return us_socket_close(0, socket, 0, nullptr); }
static us_socket_t *ignored(us_socket_t *socket) { return socket; }

static void announce(us_listen_socket_t *socket) {
    if (!socket) {
        std::exit(1);
    }
    std::printf("%d\n", us_socket_local_port(0, (us_socket_t *)socket));
    std::fflush(stdout);
}

static void listen_for_publications() {
    auto *context = us_create_socket_context(0, (us_loop_t *)uWS::Loop::get(), 0, {});
    us_socket_context_on_open(0, context, opened);
    us_socket_context_on_data(0, context, publish);
    us_socket_context_on_close(0, context, closed);
    us_socket_context_on_end(0, context, ended);
    us_socket_context_on_writable(0, context, ignored);
    us_socket_context_on_timeout(0, context, ignored);
    us_socket_context_on_long_timeout(0, context, ignored);
    announce(us_socket_context_listen(0, context, "127.0.0.1", 0, 0, 0));
}

int main(int count, char **arguments) {
    std::string_view task = count > 3 ? arguments[1] : "";
    message_size = count > 3 ? std::strtoul(arguments[3], nullptr, 10) : 0;
    if (!message_size || (task != "echo" && task != "fan-out" && task != "deflate" && task != "deflate-takeover")) {
        std::puts("unsupported");
        return 0;
    }
    // The runner holds the other end of standard input.
    std::thread([] {
        char ignored[64];
        while (read(0, ignored, sizeof ignored) > 0) {
        }
        _exit(0);
    }).detach();

    auto compression = uWS::CompressOptions(uWS::DISABLED);
    if (task == "deflate") {
        compression = uWS::CompressOptions(uWS::SHARED_COMPRESSOR | uWS::SHARED_DECOMPRESSOR);
    } else if (task == "deflate-takeover") {
        // This release makes 3 KB of every other size (HttpResponse.h takes `&` for equality).
        compression = uWS::CompressOptions(uWS::DEDICATED_COMPRESSOR_4KB | uWS::DEDICATED_DECOMPRESSOR);
    }
    bool compresses = compression != uWS::DISABLED, subscribes = task == "fan-out";
    auto server = uWS::App();
    app = &server;
    if (subscribes) {
        listen_for_publications();
    }
    server.ws<Nothing>("/*", {
        .compression = compression,
        .maxPayloadLength = 100 * 1024 * 1024,
        .idleTimeout = 120,
        .maxBackpressure = 100 * 1024 * 1024,
        .open = [subscribes](auto *socket) {
            if (subscribes) {
                socket->subscribe("topic");
            }
        },
        .message = [compresses](auto *socket, std::string_view message, uWS::OpCode opcode) {
            socket->send(message, opcode, compresses);
        },
    });
    server.listen("127.0.0.1", 0, announce).run();
}
