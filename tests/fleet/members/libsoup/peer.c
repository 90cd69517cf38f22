#include <glib-unix.h>
#include <libsoup/soup.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static GMainLoop *loop;
static GList *all;

static void on_message(SoupWebsocketConnection *ws, gint type, GBytes *message, gpointer data) {
    gsize size;
    const char *bytes = g_bytes_get_data(message, &size);
    if (type == SOUP_WEBSOCKET_DATA_TEXT && size > 6 && memcmp(bytes, "close ", 6) == 0) {
        char *text = g_strndup(bytes, size);
        char *reason = NULL;
        int code = strtol(text + 6, &reason, 10);
        soup_websocket_connection_close(ws, code, code == 1005 || *reason == 0 ? NULL : reason + 1);
        g_free(text);
    } else {
        soup_websocket_connection_send_message(ws, type, message);
    }
}

static gboolean quit(gpointer data) {
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

static void on_closed(SoupWebsocketConnection *ws, gpointer is_client) {
    all = g_list_remove(all, ws);
    if (is_client) {
        const char *reason = soup_websocket_connection_get_close_data(ws);
        printf("closed %d %s\n", soup_websocket_connection_get_close_code(ws), reason ? reason : "");
        quit(NULL);
    }
}

static void begin(SoupWebsocketConnection *ws, gpointer is_client) {
    all = g_list_prepend(all, g_object_ref(ws));
    soup_websocket_connection_set_max_incoming_payload_size(ws, 1 << 21);
    g_signal_connect(ws, "message", G_CALLBACK(on_message), NULL);
    g_signal_connect(ws, "closed", G_CALLBACK(on_closed), is_client);
}

static void connected(GObject *session, GAsyncResult *result, gpointer message) {
    GError *error = NULL;
    SoupWebsocketConnection *ws = soup_session_websocket_connect_finish(SOUP_SESSION(session), result, &error);
    if (ws == NULL) {
        printf("refused %d %s\n", soup_message_get_status(message), error->message);
        quit(NULL);
    } else {
        begin(ws, GINT_TO_POINTER(1));
    }
}

static void opened(SoupServer *server, SoupServerMessage *message, const char *path, SoupWebsocketConnection *ws, gpointer data) {
    begin(ws, NULL);
}

static void refuse(SoupServer *server, SoupServerMessage *message, const char *path, GHashTable *query, gpointer data) {
    soup_server_message_set_status(message, 403, NULL);
    soup_server_message_set_response(message, "text/plain", SOUP_MEMORY_STATIC, "not today\n", 10);
}

static gboolean stop(gpointer data) {
    for (GList *item = all; item; item = item->next) soup_websocket_connection_close(item->data, 1001, NULL);
    g_timeout_add(500, quit, NULL);
    return G_SOURCE_REMOVE;
}

int main(int argc, char **argv) {
    loop = g_main_loop_new(NULL, FALSE);
    if (strcmp(argv[1], "client") == 0) {
        SoupMessage *message = soup_message_new("GET", argv[2]);
        soup_session_websocket_connect_async(soup_session_new(), message, NULL, NULL, 0, NULL, connected, message);
    } else {
        SoupServer *server = soup_server_new(NULL, NULL);
        GSocketAddress *address = g_inet_socket_address_new_from_string("127.0.0.1", atoi(argv[2]));
        soup_server_add_early_handler(server, "/refuse", refuse, NULL, NULL);
        soup_server_add_websocket_handler(server, "/", NULL, NULL, opened, NULL, NULL);
        if (!soup_server_listen(server, address, 0, NULL)) return 1;
        g_unix_signal_add(SIGTERM, stop, NULL);
    }
    g_main_loop_run(loop);
    return 0;
}
