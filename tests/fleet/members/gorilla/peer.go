package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

var compression = os.Getenv("FLEET_COMPRESSION") != ""

func echo(ws *websocket.Conn) error {
	defer ws.Close()
	for {
		kind, data, err := ws.ReadMessage()
		if err != nil {
			return err
		}
		if kind == websocket.TextMessage && strings.HasPrefix(string(data), "close ") {
			words := strings.SplitN(string(data), " ", 3)
			code, _ := strconv.Atoi(words[1])
			frame := websocket.FormatCloseMessage(code, words[2])
			ws.WriteControl(websocket.CloseMessage, frame, time.Now().Add(time.Second))
			continue
		}
		if err := ws.WriteMessage(kind, data); err != nil {
			return err
		}
	}
}

func client(url string) {
	pem, _ := os.ReadFile(os.Getenv("FLEET_CA"))
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	dialer := websocket.Dialer{EnableCompression: compression, TLSClientConfig: &tls.Config{RootCAs: roots}}
	ws, response, err := dialer.Dial(url, nil)
	if err != nil {
		if response != nil {
			fmt.Println("refused", response.StatusCode)
		} else {
			fmt.Println("failed", err)
		}
		return
	}
	if closed, ok := echo(ws).(*websocket.CloseError); ok {
		fmt.Println("closed", closed.Code, closed.Text)
	} else {
		fmt.Println("closed 1006")
	}
}

func server(port string) {
	upgrader := websocket.Upgrader{EnableCompression: compression}
	var lock sync.Mutex
	all := map[*websocket.Conn]bool{}
	http.HandleFunc("/refuse", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintln(w, "not today")
	})
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		lock.Lock()
		all[ws] = true
		lock.Unlock()
		echo(ws)
		lock.Lock()
		delete(all, ws)
		lock.Unlock()
	})
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	go func() {
		<-signals
		lock.Lock()
		for ws := range all {
			frame := websocket.FormatCloseMessage(websocket.CloseGoingAway, "")
			ws.WriteControl(websocket.CloseMessage, frame, time.Now().Add(time.Second))
		}
		lock.Unlock()
		time.Sleep(500 * time.Millisecond)
		os.Exit(0)
	}()
	if os.Getenv("FLEET_TLS") != "" {
		http.ListenAndServeTLS("127.0.0.1:"+port, os.Getenv("FLEET_CERT"), os.Getenv("FLEET_KEY"), nil)
	} else {
		http.ListenAndServe("127.0.0.1:"+port, nil)
	}
}

func main() {
	if os.Args[1] == "client" {
		client(os.Args[2])
	} else {
		server(os.Args[2])
	}
}
