// net/http by hand, or r3labs/sse: `streams http|r3labs PORT`.
package main

import (
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/r3labs/sse"
)

func byHand(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	for n := 0; r.Context().Err() == nil; n++ {
		fmt.Fprintf(w, "id: %d\ndata: event %d\n\n", n, n)
		w.(http.Flusher).Flush()
		time.Sleep(200 * time.Millisecond)
	}
}

func main() {
	mux := http.NewServeMux()
	if os.Args[1] == "http" {
		mux.HandleFunc("/events", byHand)
	} else {
		server := sse.New()
		server.CreateStream("a")
		mux.HandleFunc("/events", server.ServeHTTP)
		go func() {
			for n := 0; ; n++ {
				server.Publish("a", &sse.Event{Data: []byte(fmt.Sprintf("event %d", n))})
				time.Sleep(200 * time.Millisecond)
			}
		}()
	}
	panic(http.ListenAndServe("127.0.0.1:"+os.Args[2], mux))
}
