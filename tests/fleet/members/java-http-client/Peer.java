import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.net.http.WebSocketHandshakeException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;

public class Peer implements WebSocket.Listener {
    private final StringBuilder text = new StringBuilder();
    private final ByteArrayOutputStream binary = new ByteArrayOutputStream();
    private final CompletableFuture<String> end = new CompletableFuture<>();
    private CompletableFuture<?> sending = CompletableFuture.completedFuture(null);

    public CompletionStage<?> onText(WebSocket ws, CharSequence part, boolean last) {
        text.append(part);
        ws.request(1);
        if (!last) return null;
        String message = text.toString();
        text.setLength(0);
        if (message.startsWith("close ")) {
            String[] words = message.split(" ", 3);
            sending = sending.thenCompose(x -> ws.sendClose(Integer.parseInt(words[1]), words[2]));
        } else {
            sending = sending.thenCompose(x -> ws.sendText(message, true));
        }
        return null;
    }

    public CompletionStage<?> onBinary(WebSocket ws, ByteBuffer part, boolean last) {
        byte[] bytes = new byte[part.remaining()];
        part.get(bytes);
        binary.writeBytes(bytes);
        ws.request(1);
        if (!last) return null;
        ByteBuffer message = ByteBuffer.wrap(binary.toByteArray());
        binary.reset();
        sending = sending.thenCompose(x -> ws.sendBinary(message, true));
        return null;
    }

    public CompletionStage<?> onClose(WebSocket ws, int code, String reason) {
        end.complete("closed " + code + " " + reason);
        return null;
    }

    public void onError(WebSocket ws, Throwable error) {
        end.complete("failed " + error);
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        Peer peer = new Peer();
        try {
            HttpClient.newHttpClient().newWebSocketBuilder().buildAsync(URI.create(arguments[0]), peer).join();
        } catch (CompletionException failure) {
            if (failure.getCause() instanceof WebSocketHandshakeException refused) {
                out.println("refused " + refused.getResponse().statusCode());
            } else {
                out.println("failed " + failure.getCause());
            }
            System.exit(0);
        }
        out.println(peer.end.join());
        Thread.sleep(300);
        System.exit(0);
    }
}
