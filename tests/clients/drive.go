// Follows one stream with a client library of Go, as its documentation says, and prints the events that it yields.
//
// usage: drive <library> <url> <token> [<id of the last event>]
//
// Each event is a line of JSON, {event, data, id}. A last line, {over}, comes when the library ends by itself: "stops"
// without an error, or "raises".
package main

import (
	"encoding/json"
	"net/http"
	"os"

	"github.com/donovanhide/eventsource"
	"github.com/r3labs/sse"
)

func printLine(line map[string]any) {
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		panic(err)
	}
}

func printEvent(event, data, id string) {
	printLine(map[string]any{"event": event, "data": data, "id": id})
}

func printEnd(err error) {
	if err != nil {
		printLine(map[string]any{"over": "raises", "error": err.Error()})
	} else {
		printLine(map[string]any{"over": "stops"})
	}
}

func followR3labs(url, token, lastEventID string) error {
	client := sse.NewClient(url, sse.ClientMaxBufferSize(1<<25))
	client.Headers["Authorization"] = "Bearer " + token
	if lastEventID != "" {
		client.LastEventID.Store([]byte(lastEventID))
	}
	return client.SubscribeRaw(func(msg *sse.Event) {
		printEvent(string(msg.Event), string(msg.Data), string(msg.ID))
	})
}

func followDonovanhide(url, token, lastEventID string) error {
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	stream, err := eventsource.SubscribeWithRequest(lastEventID, request)
	if err != nil {
		return err
	}
	go func() {
		for range stream.Errors {
		}
	}()
	for event := range stream.Events {
		printEvent(event.Event(), event.Data(), event.Id())
	}
	return nil
}

func main() {
	library, url, token, lastEventID := os.Args[1], os.Args[2], os.Args[3], ""
	if len(os.Args) > 4 {
		lastEventID = os.Args[4]
	}
	follow := map[string]func(url, token, lastEventID string) error{
		"r3labs/sse":              followR3labs,
		"donovanhide/eventsource": followDonovanhide,
	}[library]
	printEnd(follow(url, token, lastEventID))
}
